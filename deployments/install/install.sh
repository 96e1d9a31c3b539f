#!/usr/bin/env bash
# Makes a machine ready to run the agent, from an artefact file that is on its disk. Any number of times.
set -euo pipefail
umask 022

readonly PYTHONS=(python3.13 python3.12 python3.11 python3)
# What the agent imports; some distributions leave a part of the standard library out.
readonly USABLE='import sys, ssl, sqlite3, ctypes, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'

artefact='' sha256='' root='' runner_user=runner docker_group=false scratch=''

usage() {
  cat <<'TEXT'
Usage: install.sh --artefact FILE --sha256 HEX [--runner-user NAME] [--docker-group] [--root DIR]

Installs the agent into /opt/runs-fleet (a compiled virtual environment) and its systemd units, and makes the
runner's user and the agent's directories. Starts nothing and enables nothing.

  --artefact FILE      runs-fleet-agent-VERSION-ARCH.pex
  --sha256 HEX         its digest; any other file is refused
  --runner-user NAME   who runs jobs; made where it does not exist (default: runner)
  --docker-group       puts that user into the group `docker`
  --root DIR           puts everything under DIR instead of /, and installs no package
TEXT
}

main() {
  parse "$@"
  check_artefact
  local python name link
  python=$(find_python) || python=$(install_python)
  name=runs-fleet-${sha256:0:12}
  link=$root/opt/runs-fleet
  mkdir -p "$root/opt"
  [[ -e $root/opt/$name/.complete ]] || make_environment "$python" "$root/opt/$name"
  switch_to "$name" "$link"
  install_units "$root/opt/$name"
  install -d -m 0755 "$root/etc/runs-fleet"
  install -d -m 0700 "$root/var/lib/runs-fleet"
  make_user
  remove_others "$name" "$link"
  say "$("$link/bin/runs-fleet-agent" --version) is in $link, by $("$link/bin/python" --version)"
}

parse() {
  while (($#)); do
    case $1 in
      --artefact | --sha256 | --root | --runner-user)
        (($# > 1)) || wrong "$1 needs a value"
        case $1 in
          --artefact) artefact=$2 ;;
          --sha256) sha256=$2 ;;
          --root) root=$(readlink -m -- "$2") ;;
          --runner-user) runner_user=$2 ;;
        esac
        shift
        ;;
      --docker-group) docker_group=true ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) wrong "unknown argument: $1" ;;
    esac
    shift
  done
  [[ $root != / ]] || root=''
  [[ $sha256 =~ ^[0-9a-f]{64}$ ]] || wrong "--sha256 is to be 64 digits of lower-case hex, not '$sha256'"
  [[ $runner_user =~ ^[a-z_][a-z0-9_-]{0,31}$ ]] || wrong "--runner-user cannot be '$runner_user'"
  [[ -n $root || $EUID -eq 0 ]] || wrong "only root can install into /; --root DIR installs elsewhere"
}

check_artefact() {
  [[ -f $artefact ]] || wrong "--artefact: there is no file '$artefact'"
  local found
  found=$(sha256sum -- "$artefact")
  [[ ${found%% *} == "$sha256" ]] ||
    fail "$artefact has SHA-256 ${found%% *}, not $sha256: fetch it again, or mend the digest"
}

find_python() {
  local name path
  for name in "${PYTHONS[@]}"; do
    path=$(command -v "$name") || continue
    # The interpreter itself: a shim would be asked anew at every start.
    "$path" -c "$USABLE" 2>/dev/null && "$path" -c 'import sys; print(sys.executable)' && return
  done
  return 1
}

install_python() {
  [[ -z $root ]] || fail "there is no Python 3.11 to 3.14 on PATH; with --root none is installed"
  say "there is no Python 3.11 to 3.14 here: installing one"
  {
    if command -v dnf; then
      dnf install -y python3.11
    elif command -v apt-get; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update
      # Where Debian's or Ubuntu's own is older, 3.11 is a package of its own.
      apt-get install -y --no-install-recommends python3.11 ||
        apt-get install -y --no-install-recommends python3
    fi
  } >&2 || true
  find_python || fail "Python 3.11 could not be installed: install it, then run this again"
}

make_environment() {
  local python=$1 into=$2
  rm -rf -- "$into"
  # On the same file system: what is unpacked here is linked, not copied.
  scratch=$(mktemp -d "$root/opt/.runs-fleet.XXXXXX")
  trap 'rm -rf -- "$scratch"' EXIT
  PEX_ROOT=$scratch PEX_IGNORE_RCFILES=1 PEX_TOOLS=1 "$python" "$artefact" venv "$into" >&2 ||
    fail "no virtual environment could be made in $into; is the disk full?"
  # Some packages carry templates that are no Python.
  "$into/bin/python" -m compileall -q -j 0 "$into/lib" >/dev/null 2>&1 || true
  "$into/bin/runs-fleet-agent" --version >/dev/null || fail "what $artefact made in $into does not start"
  rm -rf -- "$scratch"
  touch "$into/.complete"
}

# A link is replaced in one step: there is no moment without a whole agent.
switch_to() {
  local name=$1 link=$2
  if [[ -d $link && ! -L $link ]]; then
    say "$link was a directory of somebody's: it is $link.before now"
    rm -rf -- "$link.before"
    mv -T -- "$link" "$link.before"
  fi
  local before
  before=$(readlink -- "$link" || true)
  [[ -z $before || $before == "$name" ]] || ln -sfn -- "$before" "$link.previous"
  ln -sfn -- "$name" "$link.new"
  mv -Tf -- "$link.new" "$link"
}

install_units() {
  local units=("$1"/lib/python3.*/site-packages/agent/units/*)
  install -d -m 0755 "$root/etc/systemd/system"
  install -m 0644 -- "${units[@]}" "$root/etc/systemd/system/"
  if [[ -z $root ]] && command -v systemctl >/dev/null; then
    systemctl daemon-reload || say "systemctl daemon-reload failed: run it before the units are started"
  fi
}

make_user() {
  local prefix=()
  if [[ -n $root ]]; then
    [[ -f $root/etc/passwd ]] || return 0
    prefix=(--prefix "$root")
  fi
  known passwd "$runner_user" ||
    useradd "${prefix[@]}" --create-home --shell /bin/bash "$runner_user"
  if $docker_group; then
    known group docker || groupadd "${prefix[@]}" --system docker
    usermod "${prefix[@]}" --append --groups docker "$runner_user"
  fi
}

known() {
  if [[ -n $root ]]; then
    grep -q "^$2:" "$root/etc/$1"
  else
    getent "$1" "$2" >/dev/null
  fi
}

# All but this one and the one before it, which an agent may still be running from.
remove_others() {
  local name=$1 link=$2 other before
  before=$(readlink -- "$link.previous" || true)
  for other in "$root"/opt/runs-fleet-????????????; do
    [[ $other == */"$name" || $other == */"$before" ]] || rm -rf -- "$other"
  done
}

say() { printf 'install.sh: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

wrong() {
  say "$* (see --help)"
  exit 2
}

main "$@"
