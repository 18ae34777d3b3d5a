"""What a reader runs; see the package. Started by `pool.Readers` alone."""

import contextlib
import importlib
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from reexec.engine.version import VERSION

from . import link

LOOK_MS = 5_000
"""How often it looks whether its parent is still there, where nothing comes."""
Work = Callable[[list[bytes]], Any]


def main(control: int, parent: int, slots: list[int], terms: int) -> None:
    """Until the other side closes its socket, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=control) as line, contextlib.suppress(OSError):
        try:
            work = _made(terms)
        except BaseException:
            line.send(link.packed(link.FAILED, 0))
            raise
        line.send(link.packed(link.READY, 0))
        poll = select.poll()
        poll.register(line, select.POLLIN)
        while True:
            if not poll.poll(LOOK_MS):
                if os.getppid() != parent:
                    return
                continue
            message = line.recv(link.MESSAGE_BYTES)
            if not message:
                return
            slot, size = link.unpacked(message)
            line.send(link.packed(slot, link.put(slots[slot], work(link.get(slots[slot], size)))))


def _made(terms: int) -> Work:
    """What the work is made of was written by the process that started this one, into memory that no other has."""
    with open(terms, "rb") as file:
        wanted = pickle.load(file)  # noqa: S301 - see above
    if wanted["version"] != VERSION:
        raise RuntimeError("another version of reexec was installed meanwhile")
    sys.set_int_max_str_digits(wanted["digits"])
    module, _, name = wanted["maker"].partition(":")
    work: Work = getattr(importlib.import_module(module), name)(wanted["terms"])
    return work
