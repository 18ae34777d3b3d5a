"""System-call filters, assembled here from the tables in `policies/seccomp` (decision 0005)."""
