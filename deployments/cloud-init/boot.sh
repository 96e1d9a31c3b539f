#!/usr/bin/env bash
# Two calls of one systemd unit: `start` is its ExecStart=, `failed` its ExecStopPost=. So what follows a failure does not
# depend on the process that failed, be it killed, hanging or out of memory.
set -Eeuo pipefail
export LC_ALL=C TMPDIR=/var/tmp

readonly AGENT=/opt/runs-fleet/bin/runs-fleet-agent
readonly INSTALLED=/opt/runs-fleet/artefact.sha256
readonly SETTINGS=/etc/runs-fleet/agent.env
readonly NOTES=${RUNTIME_DIRECTORY:-/run/runs-fleet-boot}
readonly NOTHING_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

baked='' docker_group='' bucket='' version='' arch='' artefact_sha256='' install_sha256=''
retries=4
instance_id='' access_key='' secret_key='' session_token=''

usage() {
  cat <<'EOF'
usage: runs-fleet-boot start --bucket NAME --version VERSION --arch x64|arm64 --artefact-sha256 HEX --install-sha256 HEX
        [--docker-group] [--retries NUMBER]
       runs-fleet-boot start --baked
       runs-fleet-boot failed

Brings the agent onto this instance and starts it, or ends the instance.

start   fetches s3://NAME/agent/VERSION/ARCH/runs-fleet-agent.pex and install.sh, checks their SHA-256, installs and starts
        the agent. One that is installed already is only started; --baked: so it must be. --retries: of a fetch, after
        1, 2, 4 … seconds; 4 by default.
failed  is called when start has ended, however it has. Unless it succeeded (SERVICE_RESULT=success), says why to the
        console, to CloudWatch Logs and to the orchestrator, then ends the instance.

Environment: AWS_REGION, RUNS_FLEET_LOG_GROUP …_TERMINATION_QUEUE_URL …_RUNNER_USER …_JOB_MAY_USE_INSTANCE_ROLE …_DRY_RUN
…_DOCTOR_AT_BOOT, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 …_CLOUDWATCH_LOGS …_EC2 …_SQS,
AWS_EC2_METADATA_SERVICE_ENDPOINT.
EOF
}

# The first reason is the one that counts: what follows from it says less.
note() {
  [[ -s $NOTES/why ]] || printf '%s\n' "$1" >"$NOTES/why"
}

die() {
  note "$1"
  printf '%s\n' "$1" >&2
  exit 1
}

step() {
  printf '%s\n' "$1" | tee "$NOTES/step"
}

# curl, told what is secret through stdin: an argument can be read by every process of the machine.
ask() {
  curl --config - --silent --show-error --fail --connect-timeout 5 --retry "$retries" --retry-all-errors "$@"
}

metadata() { # PATH TOKEN
  ask --noproxy '*' --max-time 5 "$imds/latest/$1" <<<"header = \"X-aws-ec2-metadata-token: $2\""
}

identify() {
  local imds=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} roles=meta-data/iam/security-credentials token role keys
  imds=${imds%/}
  token=$(ask --noproxy '*' --max-time 5 --request PUT "$imds/latest/api/token" \
    <<<'header = "X-aws-ec2-metadata-token-ttl-seconds: 300"') &&
    instance_id=$(metadata meta-data/instance-id "$token") &&
    role=$(metadata $roles/ "$token") &&
    keys=$(metadata "$roles/$role" "$token") &&
    access_key=$(field AccessKeyId "$keys") &&
    secret_key=$(field SecretAccessKey "$keys") &&
    session_token=$(field Token "$keys")
}

field() { # NAME JSON
  [[ $2 =~ \"$1\"[[:space:]]*:[[:space:]]*\"([^\"]+)\" ]] && printf '%s' "${BASH_REMATCH[1]}"
}

endpoint() { # SERVICE, and its name in botocore's variable
  local own=AWS_ENDPOINT_URL_$2 domain=amazonaws.com
  [[ $AWS_REGION != cn-* ]] || domain=amazonaws.com.cn
  printf '%s' "${!own:-${AWS_ENDPOINT_URL:-https://$1.$AWS_REGION.$domain}}"
}

signed() { # SERVICE CURL_ARGUMENT…
  local service=$1
  shift
  ask "$@" <<EOF
aws-sigv4 = "aws:amz:$AWS_REGION:$service"
user = "$access_key:$secret_key"
header = "x-amz-security-token: $session_token"
EOF
}

call() { # SERVICE BOTOCORE_NAME JSON_VERSION TARGET BODY
  signed "$1" --max-time 5 --header "Content-Type: application/x-amz-json-$3" --header "X-Amz-Target: $4" \
    --data-binary "$5" --output /dev/null "$(endpoint "$1" "$2")/"
}

json() { # TEXT, without what JSON or the receiver would not take
  local text
  text=$(tr -cd '[:print:]' <<<"$1")
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

fetch() { # OBJECT SHA256 FILE
  local object="s3://$bucket/agent/$version/$arch/$1" sum
  step "fetching $object"
  # curl 7.88 leaves out this header, which S3 wants.
  signed s3 --header "x-amz-content-sha256: $NOTHING_SHA256" --max-time 120 --speed-limit 50000 --speed-time 15 \
    --output "$3" "$(endpoint s3 S3)/$bucket/agent/${version//+/%2B}/$arch/$1" 2>"$work/curl" ||
    die "$object could not be fetched: $(tail -n 1 "$work/curl"); check that deployments/publish has put this version there and that the bucket's policy lets the role read agent/*"
  sum=$(sha256sum "$3")
  [[ ${sum%% *} == "$2" ]] ||
    die "$object has SHA-256 ${sum%% *}, but $2 is asked for; nothing of it was executed. Check who may write to the bucket, and the digest in the launch template"
}

install_agent() {
  local work user=${RUNS_FLEET_RUNNER_USER:-}
  [[ $user != root ]] || user=''
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of this call
  trap "rm -rf '$work'" EXIT
  identify 2>"$work/curl" ||
    die "the instance metadata service gave neither instance nor role: $(tail -n 1 "$work/curl"); check the instance profile"
  fetch install.sh "$install_sha256" "$work/install.sh"
  fetch runs-fleet-agent.pex "$artefact_sha256" "$work/runs-fleet-agent.pex"
  step "installing agent $version"
  bash "$work/install.sh" --artefact "$work/runs-fleet-agent.pex" --sha256 "$artefact_sha256" \
    ${docker_group:+--docker-group} ${user:+--runner-user "$user"} 2>&1 |
    tee "$work/install.log" || die "install.sh failed: $(tail -n 1 "$work/install.log")"
  printf '%s\n' "$artefact_sha256" >"$INSTALLED"
}

package() { # NAME [NAME_OF_APT]
  step "installing $1"
  if command -v dnf >/dev/null; then
    dnf install -y "$1"
  else
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${2:-$1}"
  fi
}

# Stock Amazon Linux has neither ICU, without which GitHub's runner does not start, nor what closes the metadata to its job.
install_packages() {
  [[ $(ldconfig -p) == *libicuuc.so* ]] || package libicu '^libicu[0-9]+$'
  if ! command -v nft iptables >/dev/null && ! package nftables; then
    [[ ${RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE:-} != never ]] || die 'nftables could not be installed: without it no job may run'
    say 'no nftables could be installed: a job may reach the metadata'
  fi
}

# For a live test: what is missing stands on the console, and the agent starts whatever that is.
ask_doctor() {
  step 'asking runs-fleet-agent doctor'
  timeout 60 "$AGENT" doctor 2>&1 | tee /dev/console || true
}

installed() {
  [[ -x $AGENT ]] && [[ -n $baked || "$(cat "$INSTALLED" 2>/dev/null)" == "$artefact_sha256" ]]
}

# apt reads no other.
lower_proxies() {
  local name upper
  for name in http_proxy https_proxy no_proxy; do
    upper=${name^^}
    [[ -z ${!upper:-} ]] || export "$name=${!upper}"
  done
}

start() {
  mkdir -p "$NOTES"
  lower_proxies
  trap 'note "boot.sh, line $LINENO: $BASH_COMMAND: exit status $?"' ERR
  step 'arming the dead-man timer'
  systemctl start runs-fleet-dead-man.timer
  [[ -f $SETTINGS ]] || die "there is no $SETTINGS: cloud-init's write_files did not write it"
  if installed; then
    step 'the agent is installed'
  elif [[ -n $baked ]]; then
    die "this image has no $AGENT: bake it with deployments/image, or say baked = false"
  else
    install_packages
    install_agent
  fi
  ! on RUNS_FLEET_DOCTOR_AT_BOOT || ask_doctor
  step 'starting the agent'
  systemctl daemon-reload
  ! on RUNS_FLEET_DRY_RUN || spare runs-fleet-agent
  systemctl start --no-block runs-fleet-agent
}

why() {
  local noted step
  noted=$(head -n 1 "$NOTES/why" 2>/dev/null)
  step=$(head -n 1 "$NOTES/step" 2>/dev/null)
  case ${SERVICE_RESULT:-unknown} in
    exit-code) printf '%s' "${noted:-exit status ${EXIT_STATUS:-unknown} while ${step:-nothing had begun}}" ;;
    timeout) printf '%s' "it took too long, while $step" ;;
    *) printf '%s' "it was ended (${SERVICE_RESULT:-unknown} ${EXIT_STATUS:-}) while ${step:-nothing had begun}" ;;
  esac
}

to_logs() { # LINE
  local stream=boot/$instance_id/agent now events line
  now=$(date +%s%3N)
  events="{\"timestamp\":$now,\"message\":$(json "$(date -u +%FT%T.%3NZ) ERROR boot.sh boot.failed error=$(json "$1")")}"
  while IFS= read -r line; do
    [[ -z $line ]] || events+=",{\"timestamp\":$now,\"message\":$(json "$line")}"
  done < <(journalctl --unit runs-fleet-boot --boot --output cat --lines 20 2>/dev/null)
  stream="\"logGroupName\":$(json "$RUNS_FLEET_LOG_GROUP"),\"logStreamName\":\"$stream\""
  call logs CLOUDWATCH_LOGS 1.1 Logs_20140328.CreateLogStream "{$stream}" 2>/dev/null # it may be there already
  call logs CLOUDWATCH_LOGS 1.1 Logs_20140328.PutLogEvents "{$stream,\"logEvents\":[$events]}"
}

to_orchestrator() { # LINE
  local body fifo=''
  body="{\"instance_id\":\"$instance_id\",\"status\":\"bootstrap_failed\",\"error\":$(json "${1:0:800}")}"
  [[ $RUNS_FLEET_TERMINATION_QUEUE_URL != *.fifo ]] ||
    fifo=",\"MessageGroupId\":\"$instance_id\",\"MessageDeduplicationId\":\"$instance_id-bootstrap_failed\""
  call sqs SQS 1.0 AmazonSQS.SendMessage \
    "{\"QueueUrl\":$(json "$RUNS_FLEET_TERMINATION_QUEUE_URL"),\"MessageBody\":$(json "$body")$fifo}"
}

end_instance() {
  [[ -x $AGENT ]] && timeout 90 "$AGENT" end && return
  signed ec2 --max-time 10 --data "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=$instance_id" \
    --output /dev/null "$(endpoint ec2 EC2)/"
}

on() { # VARIABLE
  case ${!1:-} in
    1 | [Tt][Rr][Uu][Ee] | [Yy][Ee][Ss]) ;;
    *) return 1 ;;
  esac
}

spare() { # UNIT, which then powers nothing off
  local drop_in=/run/systemd/system/$1.service.d
  mkdir -p "$drop_in"
  printf '[Unit]\nFailureAction=none\n' >"$drop_in/dry-run.conf"
  systemctl daemon-reload
}

say() {
  printf 'runs-fleet: %s\n' "$1" | tee /dev/console >&2
}

# The unit's FailureAction= powers the machine off after this, whether EC2 took the call or not.
failed() {
  [[ ${SERVICE_RESULT:-} != success ]] || return 0
  set +eE
  retries=1
  local line
  line="the agent could not be started: $(why)"
  say "$line"
  if on RUNS_FLEET_DRY_RUN; then
    spare runs-fleet-boot
    say 'RUNS_FLEET_DRY_RUN is set: the instance stays, and only the dead-man timer will end it'
  fi
  identify || return 1
  [[ -z ${RUNS_FLEET_LOG_GROUP:-} ]] || to_logs "$line"
  [[ -z ${RUNS_FLEET_TERMINATION_QUEUE_URL:-} ]] || to_orchestrator "$line"
  on RUNS_FLEET_DRY_RUN || end_instance
}

bad() {
  [[ ! -d $NOTES ]] || note "$1"
  printf 'runs-fleet-boot: %s; see --help\n' "$1" >&2
  exit 2
}

parse() {
  while (($#)); do
    case $1 in
      --baked) baked=yes ;;
      --docker-group) docker_group=yes ;;
      --bucket | --version | --arch | --artefact-sha256 | --install-sha256 | --retries)
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

# An older one signs no session token, and S3 answers 403.
check_curl() {
  local it
  it=$(curl --version | head -n 1) || true
  [[ ! $it =~ ^curl\ ([0-9]+)\.([0-9]+) ]] || ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 7087)) || return 0
  bad "'${it%% (*}' cannot sign for S3: curl 7.87 or newer is wanted"
}

check() {
  [[ -n ${AWS_REGION:-} ]] || bad 'AWS_REGION is not set'
  [[ $retries =~ ^[0-9]+$ ]] || bad "--retries $retries is no number"
  [[ -z $baked ]] || return 0
  [[ -n $bucket && -n $version ]] || bad 'start wants --bucket and --version, or --baked'
  [[ $arch == x64 || $arch == arm64 ]] || bad "--arch '$arch' is neither x64 nor arm64"
  local name
  for name in artefact install; do
    local sum=${name}_sha256
    [[ ${!sum} =~ ^[0-9a-f]{64}$ ]] || bad "--$name-sha256 '${!sum}' is not 64 hexadecimal digits"
  done
  check_curl
}

main() {
  local verb=${1:-}
  case $verb in
    -h | --help)
      usage
      ;;
    start)
      parse "${@:2}"
      check
      start
      ;;
    failed)
      (($# == 1)) || bad 'failed takes no arguments'
      failed
      ;;
    *) bad "unknown command '$verb'" ;;
  esac
}

main "$@"
