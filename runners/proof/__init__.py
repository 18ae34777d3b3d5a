"""Which recorded values are reproducible, and why not. Shared by `generate` and `audit`."""
