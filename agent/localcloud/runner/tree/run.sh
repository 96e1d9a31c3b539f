#!/bin/bash
# Stand-in for the runner's run.sh: the same files, words, exit codes and signal behaviour, written anew.
here="$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

renew_helper() {
    cp -f "$here/run-helper.sh.template" "$here/run-helper.sh"
    chmod +x "$here/run-helper.sh"
}

leave_if_deprecated() {
    if [[ $1 -eq 7 && -n $ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE ]]; then
        echo "Exiting runner..."
        exit 7
    fi
}

plain() {
    while :; do
        renew_helper
        "$here/run-helper.sh" $*
        status=$?
        leave_if_deprecated $status
        if [[ $status -eq 2 ]]; then
            echo "Restarting runner..."
        else
            echo "Exiting runner..."
            exit 0
        fi
    done
}

trapping() {
    trap 'kill -INT -$PID' INT TERM
    while :; do
        renew_helper
        set -m
        "$here/run-helper.sh" $* &
        PID=$!
        wait $PID
        status=$?
        leave_if_deprecated $status
        if [[ $status -eq 2 ]]; then
            echo "Restarting runner..."
        else
            echo "Exiting runner..."
            trap - INT TERM
            wait $PID
            exit $status
        fi
    done
}

if [[ -z $RUNNER_MANUALLY_TRAP_SIG ]]; then
    plain $*
else
    trapping $*
fi
