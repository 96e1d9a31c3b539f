"""From process start to a listening runner: the agent, the shell way, and stock Prefect, in one run."""
