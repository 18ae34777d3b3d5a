"""System-call filters, made from the table `policies/seccomp/syscalls.toml` (docs/decisions/0005, 0015).

table     the table's rows, checked
filters   the two filters: the zygote's, which every check inherits, and a child's own
bpf       a small assembler for classic BPF
"""

from .filters import OWN_PID, child_filter, with_places, zygote_filter
from .table import Grant, UnsupportedArchitectureError

__all__ = ["OWN_PID", "Grant", "UnsupportedArchitectureError", "child_filter", "with_places", "zygote_filter"]
