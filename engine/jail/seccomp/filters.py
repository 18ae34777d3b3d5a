"""The two filters of a worker.

The zygote installs the first on itself, once, and every check inherits it: what the table allows is allowed, everything else is
refused. The second is a child's own: it may start nothing, and signal only itself. It is used where a limit on processes and a
Landlock domain do not say the same for less (decision 0008).

Calls whose answer depends on their arguments come first, in the table's order: since Linux 5.11 the kernel remembers the calls
that a filter always allows, and does not run it for them.
"""

import errno
import functools
import platform
import sys

from . import bpf
from .table import ALLOW, Grant, Row, newest_known, rows

_STARTS = ("clone", "fork", "vfork")
_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_PRCTL, _PR_SET_SECCOMP = "prctl", 22
PATH_PLACE, ARGUMENTS_PLACE = 0x7EAD0001_7EAD0002, 0x7EAD0003_7EAD0004
"""Stand in the zygote's filter, and in its table, for the places of a command's path and arguments."""
OWN_PID = 0x7FFFFFFE
"""Stands in the child's filter for the pid that the child puts there."""


@functools.cache
def zygote_filter(grants: frozenset[Grant] = frozenset(), architecture: str | None = None) -> bytes:
    """The filter as an array of `struct sock_filter` (8 bytes an instruction). Raises UnsupportedArchitectureError."""
    architecture = architecture or platform.machine()
    table = rows(architecture, grants)
    conditional = [row for row in table if not row.is_plain]
    allowed = [row for row in table if row.is_plain and row.plain_answer == ALLOW]
    answered = [row for row in table if row.is_plain and row.plain_answer not in (ALLOW, errno.EPERM)]
    program = bpf.opening(architecture)
    program += b"".join(bpf.if_equal(row.number, _body(row)) for row in [*conditional, *allowed, *answered])
    return program + bpf.if_at_least(newest_known() + 1, bpf.answer(errno.ENOSYS)) + bpf.answer(errno.EPERM)


def with_places(program: bytes, path: int, arguments: int) -> bytes:
    """A filter with the grant `commands` for a worker whose commands lie at these two places."""
    for standing, drawn in ((PATH_PLACE, path), (ARGUMENTS_PLACE, arguments)):
        for shift in (0, 32):
            constant, actual = (((each >> shift) & 0xFFFFFFFF).to_bytes(4, sys.byteorder) for each in (standing, drawn))
            if program.count(constant) != 1:
                raise ValueError("no filter for commands")
            program = program.replace(constant, actual)
    return program


def _body(row: Row) -> bytes:
    return b"".join(map(bpf.rule, row.rules)) + bpf.answer(row.otherwise) if not row.is_plain else bpf.answer(row.plain_answer)


@functools.cache
def child_filter(architecture: str | None = None) -> tuple[bytes, int]:
    """A child's own filter, and the place in its bytes where the child puts its pid (32 bits, its own byte order).

    Starting a process or thread answers EAGAIN, as a limit on processes does; a signal to others EPERM, a further filter too.
    """
    architecture = architecture or platform.machine()
    numbers = {row.name: row.number for row in rows(architecture, frozenset(Grant))}
    starts = [numbers[name] for name in _STARTS if name in numbers]
    signals = [numbers[name] for name in _SIGNALS]
    refused = bpf.answer(errno.EPERM)
    own = bpf.if_equal(OWN_PID, bpf.answer(ALLOW))
    before = bpf.load_number() + bpf.if_any(starts, bpf.answer(errno.EAGAIN))
    before += bpf.if_equal(numbers[_PRCTL], bpf.load_argument(0) + bpf.if_equal(_PR_SET_SECCOMP, refused) + bpf.answer(ALLOW))
    to_others = bpf.load_argument(0) + own + refused
    program = before + bpf.if_any(signals, to_others) + bpf.answer(ALLOW)
    return program, program.index(OWN_PID.to_bytes(4, "little"))
