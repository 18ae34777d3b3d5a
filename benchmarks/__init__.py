"""How fast it is, beside what it is measured against in the same run: `python -m benchmarks`."""
