"""Suites by mechanism for pytest-benchmark. Ratios to other methods: `reexec bench`."""
