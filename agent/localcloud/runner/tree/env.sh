#!/bin/bash
# Stand-in for the runner's env.sh: what config.sh keeps of the caller's environment.
for name in LANG JAVA_HOME ANT_HOME M2_HOME ANDROID_HOME GRADLE_HOME NVM_BIN NVM_PATH LD_LIBRARY_PATH PERL5LIB; do
    if [[ -n ${!name} ]] && ! grep -qs "^$name=" .env; then
        echo "$name=${!name}" >> .env
    fi
done
touch .env
echo "$PATH" > .path
