"""Clocks and entropy of the checked programs, where the policy gives them their own.

A shifted clock shows whether a result depends on the time: the second run of a proof has one. Wall clocks, `monotonic` and the
elapsed-time clocks are ahead of the host's by a constant, and every reading moves them on, so that differences show too.
Waiting is left alone: the interpreter computes its own deadlines from clocks that nothing here touches.

Seeded entropy makes `os.urandom`, `os.getrandom` and the default seeds of `random` and numpy a fixed stream, so that what
draws from them gives the same in every run with the same seed.

Both work on the modules `time`, `datetime`, `os` and `random` of the warm process, before anything else imports them, and reach
each check through its fork. The harness binds the functions of `time` that it uses when it is imported, so it keeps the real
clocks. A program can undo them in its own process; what it gains is a proof of something else.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from typing import Any, Callable

from ..protocol.setup import Setup

TICK_S = 0.25
"""By how much a reading of a wall clock or of an elapsed-time clock moves it on."""
MONOTONIC_TICK_S = 0.001
"""The same for the monotonic clock. Small: event loops and queues compute from it how long they still wait."""

_COARSE = ("time", "perf_counter", "process_time", "thread_time")
_NS = 1_000_000_000


def install(setup: Setup) -> None:
    """Gives the programs of this zygote the clock and the entropy of `setup`."""
    if setup.clock_shift_s:
        _shift_clocks(setup.clock_shift_s)
    if setup.entropy_seed is not None:
        _STREAM.seed(setup.entropy_seed)
        _seed_entropy()


# -- clocks ---------------------------------------------------------------------------------------------------


class _Clock:
    """A clock that is ahead of a real one, and moves on with each reading."""

    def __init__(self, read_ns: Callable[[], int], shift_ns: int, tick_ns: int) -> None:
        self._read_ns, self._ahead_ns, self._tick_ns = read_ns, shift_ns, tick_ns

    def ns(self) -> int:
        self._ahead_ns += self._tick_ns
        return self._read_ns() + self._ahead_ns


def _shift_clocks(shift_s: int) -> None:
    clocks: dict[str, _Clock] = {}
    for name in (*_COARSE, "monotonic"):
        read = getattr(time, name + "_ns", None)
        if read is None:
            continue
        tick_s = MONOTONIC_TICK_S if name == "monotonic" else TICK_S
        clocks[name] = clock = _Clock(read, shift_s * _NS, int(tick_s * _NS))
        for attribute, function in ((name, _seconds(clock)), (name + "_ns", _nanoseconds(clock))):
            function.__name__ = function.__qualname__ = attribute
            setattr(time, attribute, function)
    wall = clocks["time"]
    _shift_clock_gettime(clocks)
    _shift_conversions(wall)
    _shift_datetime(wall)


def _seconds(clock: _Clock) -> Any:
    return lambda: clock.ns() / _NS


def _nanoseconds(clock: _Clock) -> Any:
    return lambda: clock.ns()


def _shift_clock_gettime(clocks: dict[str, _Clock]) -> None:
    real_ns = time.clock_gettime_ns
    known = {
        time.CLOCK_REALTIME: clocks["time"],
        time.CLOCK_MONOTONIC: clocks["monotonic"],
        time.CLOCK_PROCESS_CPUTIME_ID: clocks["process_time"],
    }

    def clock_gettime_ns(clk_id: int) -> int:
        clock = known.get(clk_id)
        return real_ns(clk_id) if clock is None else clock.ns()

    def clock_gettime(clk_id: int) -> float:
        return clock_gettime_ns(clk_id) / _NS

    time.clock_gettime, time.clock_gettime_ns = clock_gettime, clock_gettime_ns


def _shift_conversions(wall: _Clock) -> None:
    """`localtime()` and the like read the clock where they get no time; with one they only convert it."""

    def of_now(name: str) -> None:
        real = getattr(time, name)

        def convert(seconds: Any = None) -> Any:
            return real(wall.ns() / _NS if seconds is None else seconds)

        convert.__name__ = convert.__qualname__ = name
        setattr(time, name, convert)

    of_now("gmtime")
    of_now("localtime")
    of_now("ctime")
    real_asctime, real_strftime = time.asctime, time.strftime

    def asctime(*when: Any) -> str:
        return real_asctime(*(when or (time.localtime(),)))

    def strftime(form: str, *when: Any) -> str:
        return real_strftime(form, *(when or (time.localtime(),)))

    time.asctime, time.strftime = asctime, strftime


def _shift_datetime(wall: _Clock) -> None:
    """`datetime.now` and `utcnow` ask the kernel in C; `today` asks `time.time`. The type itself must stay the same one, so
    its own dictionary is written to, which Python code may not."""
    import datetime

    kind = datetime.datetime

    def now(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(wall.ns() / _NS, tz)

    def utcnow(cls: Any) -> Any:
        return cls.fromtimestamp(wall.ns() / _NS, datetime.timezone.utc).replace(tzinfo=None)

    (members,) = (found for found in gc.get_referents(kind.__dict__) if type(found) is dict)
    members["now"], members["utcnow"] = classmethod(now), classmethod(utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


# -- entropy --------------------------------------------------------------------------------------------------


class _Stream:
    """Bytes that look random and depend on the seed alone."""

    def __init__(self) -> None:
        self._draw: Any = None
        self._kind: Any = None

    def seed(self, seed: Any) -> None:
        if self._kind is None:
            self._kind = __import__("_random").Random  # the base type: its seed is not the one that is replaced
        self._draw = self._kind(hash_of(seed)).getrandbits

    def bits(self, count: int) -> int:
        return int(self._draw(count))

    def bytes(self, size: int) -> bytes:
        return self.bits(8 * size).to_bytes(size, "little") if size else b""

    @property
    def is_on(self) -> bool:
        return self._draw is not None


def hash_of(seed: Any) -> int:
    """An integer for a seed, the same in every process: a text's own hash depends on the hash seed."""
    value = 5381
    for byte in str(seed).encode("utf-8", "surrogatepass"):
        value = (value * 33 + byte) & 0xFFFFFFFFFFFFFFFF
    return value


_STREAM = _Stream()


def share_entropy() -> None:
    """In a check that must draw the same under every policy: a generator of inputs."""
    if _STREAM.is_on:
        _STREAM.seed("shared")


def _seed_entropy() -> None:
    random: Any = sys.modules["random"]  # imported by prelude.import_random, in its own way

    def urandom(size: int, /) -> bytes:
        if size < 0:
            raise ValueError("negative argument not allowed")
        return _STREAM.bytes(size)

    def getrandom(size: int, flags: int = 0) -> bytes:  # noqa: ARG001 - as the original
        return urandom(size)

    urandom.reseed = _STREAM.seed  # type: ignore[attr-defined]  # for the code around a generator's calls
    posix = sys.modules["posix"]
    for module in (os, posix):
        module.urandom = urandom  # type: ignore[attr-defined]
        if hasattr(module, "getrandom"):
            module.getrandom = getrandom  # type: ignore[attr-defined]
    if hasattr(random, "_urandom"):
        random._urandom = urandom
    real_seed = random.Random.seed

    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        """As the original, but where it would ask the system it takes what the stream gives."""
        real_seed(self, _STREAM.bits(256) if a is None else a, version)

    random.Random.seed = seed
    random.seed = random._inst.seed
