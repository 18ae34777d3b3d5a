"""The control group that every check of this zygote runs in, one after the other, on the isolation level `nsjail+cgroup`.

The host made it and passed open descriptors in: to enter it and to lower its limit on memory for one check (write-only), to
read its processor time, to read how often the kernel ended something in it because memory ran out. The zygote stays outside, so
that this never hits the zygote itself. What a child must not keep is closed in it before its program runs.
"""

from __future__ import annotations

import os
from typing import Any, Dict


class CheckGroup:
    def __init__(self, fds: Dict[str, Any]) -> None:
        self._enter = list(fds["enter"])  # cgroup.procs of each hierarchy
        self._events = int(fds["events"])  # memory.oom_control (v1) or memory.events (v2)
        self._cpu = int(fds["cpu"])  # cpuacct.usage (v1) or cpu.stat (v2); -1 where one process is all there can be
        self._limit = int(fds["limit"])  # memory.limit_in_bytes (v1) or memory.max (v2)
        self._slack_bytes = int(fds["slack_bytes"])
        self._all = [fd for fd in (*self._enter, self._events, self._cpu, self._limit) if fd >= 0]
        for fd in self._all:
            os.set_inheritable(fd, False)

    def in_child(self) -> None:
        for fd in self._enter:
            os.write(fd, b"0")
        for fd in self._all:
            os.close(fd)

    def limit(self, memory_bytes: int) -> bool:
        """Whether the checks to come have this limit, all their processes together; it is empty now."""
        try:
            os.pwrite(self._limit, b"%d" % (memory_bytes + self._slack_bytes), 0)
        except OSError:
            return False
        return True

    def oom_kills(self) -> int:
        """How often the kernel ended a process of the group because memory ran out, since the group was made."""
        for line in os.pread(self._events, 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0

    def cpu_s(self) -> float | None:
        """Processor seconds of everything that ever ran in the group; None where it is not counted."""
        if self._cpu < 0:
            return None
        text = os.pread(self._cpu, 4096, 0)
        if text.startswith(b"usage_usec "):  # v2
            return int(text.split()[1]) / 1e6
        return int(text) / 1e9
