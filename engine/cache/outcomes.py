"""Which outcomes are kept between runs, what each is found by, and its bytes.

A key covers everything that decides an outcome: engine, interpreter and its packages, policy, program, call, options. Kept are
values and exceptions alone, of programs whose source names neither clock nor chance, reached by one undisturbed run. The bytes
are msgpack of the answer as the worker gave it, so a recalled answer takes the same way to its outcome as a fresh one.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgpack

from reexec.policies.model import Policy

from ..jail.interpreter import Interpreter
from ..pool.answer import Answer
from ..pool.job import Job
from ..pool.retry import may_vary
from ..protocol import frames
from ..version import VERSION
from .store import KEY_BYTES, OutcomeCache

_KINDS = ("value", "exception")
_FORM = 2
_OPTIONS = frames.PYTHON_VALUES | frames.TAGGED_CALL
"""Checks with any other option are executed each time."""


class Memory:
    """A cache as one executor sees it."""

    def __init__(self, cache: OutcomeCache, policy: Policy, interpreter: Interpreter) -> None:
        self._cache = cache
        parts = [str(_FORM), VERSION, policy.digest, interpreter.version_text, interpreter.executable, *_packages(interpreter)]
        self._base = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=KEY_BYTES).digest()

    def recall(self, job: Job) -> Answer | None:
        """What an earlier run of the same call came to; asked for calls that `may_be_kept`."""
        body = self._cache.get(self._key(job))
        return None if body is None else _unpack(body)

    def keep(self, job: Job, answer: Answer) -> None:
        if may_be_shared(answer) and may_be_kept(job):
            self._cache.put(self._key(job), _pack(answer))

    def _key(self, job: Job) -> bytes:
        digest = hashlib.blake2b(job.program.id.encode(), digest_size=KEY_BYTES, key=self._base)
        digest.update(bytes((job.options,)) + job.call)
        return digest.digest()


def may_be_kept(job: Job) -> bool:
    """Whether what a call comes to says what the same call will come to."""
    if job.limits is not None or job.files is not None:  # terms of its own, which no key holds
        return False
    return not job.options & ~_OPTIONS and job.stdin is None and not may_vary(job.program.source)


def may_be_shared(answer: Answer) -> bool:
    """Whether an answer stands for the same call at another time: the program's own end, by one undisturbed run."""
    return answer.kind in _KINDS and answer.attempts == 1 and not answer.note


def _packages(interpreter: Interpreter) -> list[str]:
    """Names and versions of what is installed, as the folders of their metadata say them."""
    found: set[str] = set()
    for folder in interpreter.folders:
        try:
            found.update(path.name for path in Path(folder).iterdir() if path.suffix in (".dist-info", ".egg-info"))
        except OSError:
            continue
    return sorted(found)


def _pack(answer: Answer) -> bytes:
    fields = [
        answer.kind,
        answer.payload,
        answer.flags,
        answer.cpu_us,
        answer.wall_us,
        answer.peak_kib,
        answer.stdout,
        answer.stderr,
        answer.shared,
    ]
    return bytes(msgpack.packb(fields) or b"")


def _unpack(body: bytes) -> Answer | None:
    """None for what `_pack` has not written."""
    try:
        fields: Any = msgpack.unpackb(body)
        kind, payload, flags, cpu_us, wall_us, peak_kib, stdout, stderr, shared = fields
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    if kind not in _KINDS or not all(type(blob) is bytes for blob in (payload, stdout, stderr)):
        return None
    return Answer(kind, payload, b"", cpu_us, wall_us, peak_kib, flags, stdout, stderr, shared=bool(shared))
