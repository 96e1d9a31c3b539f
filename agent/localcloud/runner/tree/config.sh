#!/bin/bash
# Stand-in for the runner's config.sh.
if [[ $(id -u) -eq 0 && -z $RUNNER_ALLOW_RUNASROOT ]]; then
    echo "Must not run with sudo"
    exit 1
fi
cd -P "$(dirname "${BASH_SOURCE[0]}")" || exit 1
if grep -qs '"configure": *"missing_dependency"' scenario.json; then
    echo "Libicu's dependencies is missing for Dotnet Core 6.0"
    echo "Execute sudo ./bin/installdependencies.sh to install any missing Dotnet Core 6.0 dependencies."
    exit 1
fi
source ./env.sh
exec ./bin/Runner.Listener configure "$@"
