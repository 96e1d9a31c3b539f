#!/usr/bin/env bash
# Bakes everything that an instance would otherwise fetch or make at boot. Run by Packer as root, once or again.
set -Eeuo pipefail
export LC_ALL=C TMPDIR=/var/tmp DEBIAN_FRONTEND=noninteractive

artefact='' artefact_sha256='' install='' runner_version='' runner_sha256='' docker='' root=''
github_url=https://github.com

usage() {
  cat <<'EOF'
usage: provision.sh --artefact FILE --artefact-sha256 HEX --install FILE --runner-version VERSION --runner-sha256 HEX
                    [--docker] [--root DIR] [--github-url URL]

Bakes this machine into an image: the agent (by install.sh), GitHub's runner with its libraries, Prefect's database.

--docker      installs Docker and lets the runner's user use it
--root DIR    puts everything below DIR and leaves this machine alone: no packages, no Docker, no doctor, no clearing up
--github-url  where the runner is fetched from
EOF
}

step() {
  printf 'provision.sh: %s\n' "$1"
}

die() {
  printf 'provision.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

bad() {
  die "$1; see --help" 2
}

arch() {
  case $(uname -m) in
    x86_64) printf x64 ;;
    aarch64) printf arm64 ;;
    *) die "there is no runner for $(uname -m)" ;;
  esac
}

system() {
  # shellcheck source=/dev/null
  (. /etc/os-release && printf '%s-%s' "$ID" "$VERSION_ID")
}

check_system() {
  case $(system) in
    amzn-2023 | ubuntu-24.04) ;;
    *) die "this is $(system); images are baked of amzn-2023 and ubuntu-24.04" ;;
  esac
}

install_docker() {
  case $(system) in
    amzn-*) dnf install -y docker ;;
    *) apt-get update && apt-get install -y docker.io ;;
  esac
  # The daemon starts at the first call, not at boot.
  systemctl disable docker.service
  systemctl enable docker.socket
}

install_agent() {
  bash "$install" --artefact "$artefact" --sha256 "$artefact_sha256" ${root:+--root "$root"} ${docker:+--docker-group}
  # An instance whose user data never comes is ended all the same.
  systemctl --root="${root:-/}" enable --quiet runs-fleet-dead-man.timer
}

runner_owner() {
  local owner
  owner=$(awk -F: '$1 == "runner" { print $3 ":" $4 }' "$root/etc/passwd" 2>/dev/null || true)
  [[ -n $owner ]] || die "$root/etc/passwd has no user runner"
  printf '%s' "$owner"
}

place_runner() {
  local name owner work
  name=actions-runner-linux-$(arch)-$runner_version.tar.gz
  owner=$(runner_owner)
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of this call
  trap "rm -rf '$work'" EXIT
  curl --silent --show-error --fail --location --retry 5 --retry-connrefused --connect-timeout 10 --max-time 600 \
    --output "$work/$name" "$github_url/actions/runner/releases/download/v$runner_version/$name" ||
    die "$name could not be fetched from $github_url"
  "$python" -m agent.bake "$work/$name" "$root/opt/actions-runner" \
    --version "$runner_version" --arch "$(arch)" --sha256 "$runner_sha256" --owner "$owner"
}

# And nftables, by which the agent closes the instance metadata to the job.
install_libraries() {
  case $(system) in
    # The runner's own script does not know this system.
    amzn-*) dnf install -y libicu openssl-libs krb5-libs zlib nftables ;;
    *)
      /opt/actions-runner/bin/installdependencies.sh
      apt-get update && apt-get install -y nftables
      ;;
  esac
}

prepare_prefect() {
  install -d -m 0700 "$root/var/lib/runs-fleet"
  "$python" -c 'import sys, pathlib, flows.api.database as d; sys.exit(d.prepare(pathlib.Path(sys.argv[1])))' \
    "$root/var/lib/runs-fleet/prefect" || die "Prefect's database could not be made: flows/api/prefect.sql is of another Prefect"
}

clear_up() {
  case $(system) in
    amzn-*) dnf clean all ;;
    *) apt-get clean && rm -rf /var/lib/apt/lists/* ;;
  esac
  cloud-init clean --logs
  journalctl --rotate --vacuum-time=1s
  rm -rf /var/log/journal/* /etc/ssh/ssh_host_* /root/.bash_history /home/*/.bash_history
  truncate --size 0 /etc/machine-id
}

provision() {
  python=$root/opt/runs-fleet/bin/python
  if [[ -z $root ]]; then
    check_system
    if [[ -n $docker ]]; then
      step 'Docker'
      install_docker
    fi
  fi
  step 'the agent'
  install_agent
  step "runner $runner_version"
  place_runner
  if [[ -z $root ]]; then
    step "the runner's libraries"
    install_libraries
  fi
  step "Prefect's database"
  prepare_prefect
  if [[ -z $root ]]; then
    step 'a last look'
    "$python" -m agent doctor --image
    step 'clearing up'
    clear_up
  fi
}

parse() {
  while (($#)); do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --docker) docker=yes ;;
      --artefact | --artefact-sha256 | --install | --runner-version | --runner-sha256 | --root | --github-url)
        (($# > 1)) || bad "$1 wants a value"
        local name=${1#--}
        printf -v "${name//-/_}" '%s' "$2"
        shift
        ;;
      *) bad "unknown argument $1" ;;
    esac
    shift
  done
}

check() {
  [[ -f $artefact ]] || bad "--artefact '$artefact' is no file"
  [[ -f $install ]] || bad "--install '$install' is no file"
  [[ $artefact_sha256 =~ ^[0-9a-f]{64}$ ]] || bad "--artefact-sha256 '$artefact_sha256' is not 64 hexadecimal digits"
  [[ $runner_sha256 =~ ^[0-9a-f]{64}$ ]] || bad "--runner-sha256 '$runner_sha256' is not 64 hexadecimal digits"
  [[ $runner_version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || bad "--runner-version '$runner_version' is not one such as 2.336.0"
  [[ -z $root || -d $root ]] || bad "--root '$root' is no directory"
}

parse "$@"
check
provision
