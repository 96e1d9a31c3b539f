"""In place of what `make artefact` and the runner's archive would bring: as quick to install, with the agent under test in it."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
AGENT = "/opt/runs-fleet/bin/runs-fleet-agent"
INSTALL = f"""\
#!/usr/bin/env bash
set -euo pipefail
root=""
while (($#)); do
  [[ $1 != --root ]] || root=$2
  shift
done
bin=$root/opt/runs-fleet/bin
mkdir -p "$bin" "$root/home/runner" "$root/etc/systemd/system"
cat >"$bin/python" <<EOF
#!/bin/sh
cd {ROOT}
case "\\$*" in "-m agent doctor --image") echo seen >>"$root/doctor"; test ! -e "$root/sick"; exit ;; esac
exec {sys.executable} "\\$@"
EOF
cat >"$bin/runs-fleet-agent" <<EOF
#!/bin/sh
cd {ROOT}
exec {sys.executable} -m agent "\\$@"
EOF
chmod +x "$bin"/*
cp {ROOT}/deployments/systemd/runs-fleet* "$root/etc/systemd/system/"
if ! grep -qs ^runner: "$root/etc/passwd"; then
  echo runner:x:4711:4711::/home/runner:/bin/bash >>"$root/etc/passwd"
  echo runner:x:4711: >>"$root/etc/group"
fi
chown 4711:4711 "$root/home/runner"
"""
"""Does what install.sh does, for the arguments that matter here."""


def agent_that(does: str) -> str:
    """An install script: its agent does one thing, then switches the machine off."""
    unit = "/etc/systemd/system/runs-fleet-agent.service"
    return f"""\\
#!/usr/bin/env bash
set -euo pipefail
mkdir -p /opt/runs-fleet/bin
printf '#!/bin/sh\\n' >{AGENT}
chmod +x {AGENT}
cat >/opt/runs-fleet/does <<'EOF'
{does}
EOF
cat >{unit} <<'EOF'
[Unit]
SuccessAction=poweroff-force
[Service]
Type=oneshot
EnvironmentFile=/etc/runs-fleet/agent.env
ExecStart=/bin/sh /opt/runs-fleet/does
EOF
"""


def image_with(install: str) -> str:
    """A script for a machine's disk, on which the install script has been run before."""
    return f"chroot \"$1\" bash -s <<'INSTALL'\n{install}INSTALL\n"
