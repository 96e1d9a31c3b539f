"""AWS, GitHub and IMDS on loopback, for `demo` and the tests: real HTTP, no account, no network."""
