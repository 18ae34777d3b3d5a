"""Canaries in everything that the caller has, and two searches from inside: one tries to reach each of them, one reads every
byte that it can find and looks for their shape.

Planted are: a variable, an inheritable descriptor, files in the working directory, the home and the folder for temporary
files, a TCP port, Unix sockets with a name and without one. The caller's own process is there to be read.
"""

import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel, Policy

from ..errors import EngineError
from ..program import Program
from .bench import ExecutorFactory, Result
from .case import Case

_INSIDE = Path(__file__).parent / "inside"
SEARCH = Program((_INSIDE / "search.py.txt").read_text(encoding="utf-8"), "search")
_REACH = Program((_INSIDE / "reach.py.txt").read_text(encoding="utf-8"), "reach")

_REACH_CASE = Case(
    id="secret-reach",
    group="secret",
    title="the caller's files, descriptors, processes and network are out of reach",
    program=_REACH.source,
    expect="accepted",
    short=True,
)
_SEARCH_CASE = Case(
    id="secret-search",
    group="secret",
    title="nothing of the caller's or of the expected value is found in memory, environment, arguments or files",
    program=SEARCH.source,
    expect="wrong-answer",
)


@dataclass(frozen=True, slots=True)
class Planted:
    paths: tuple[str, ...]
    ports: tuple[int, ...]
    abstract: str
    pids: tuple[int, ...]


def token() -> str:
    """A text of the shape that the search looks for."""
    return "planted-" + secrets.token_hex(16)


@contextlib.contextmanager
def planted() -> Iterator[Planted]:
    """Canaries, for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        name = f"REEXEC_CANARY_{secrets.token_hex(4).upper()}"
        os.environ[name] = token()
        stack.callback(os.environ.pop, name, None)
        held = stack.enter_context(tempfile.TemporaryFile())
        held.write(token().encode())
        held.flush()
        os.set_inheritable(held.fileno(), True)
        paths = []
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-")))
        folder.chmod(0o755)
        for place in (folder, Path.cwd(), Path.home()):
            file = place / f"canary-{secrets.token_hex(4)}"
            try:
                file.write_text(token())
            except OSError:
                continue  # not ours to write in: no place to plant
            file.chmod(0o644)
            stack.callback(file.unlink, missing_ok=True)
            paths.append(str(file))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = f"reexec-canary-{secrets.token_hex(8)}"
        named = str(folder / "canary.socket")
        for kind, address in (
            (socket.SOCK_STREAM, "\0" + abstract),
            (socket.SOCK_DGRAM, "\0" + abstract + "-d"),
            (socket.SOCK_DGRAM, named),
        ):
            server = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            server.bind(address)
            if kind == socket.SOCK_STREAM:
                server.listen(1)
        Path(named).chmod(0o777)
        yield Planted((*paths, named), (listener.getsockname()[1],), abstract, (os.getpid(), os.getppid()))


def policy(isolation: IsolationLevel) -> Policy:
    return load_policy("codeio", settings=("limits.cpu_s=20", "limits.idle_s=20", f'isolation.lowest="{isolation.value}"'))


def run_secrets(factory: ExecutorFactory, isolation: IsolationLevel, *, short: bool = False) -> list[Result]:
    with planted() as canaries:
        before = _state(canaries)
        try:
            executor = factory(policy(isolation), isolation)
        except EngineError as error:
            return [Result(_REACH_CASE, isolation, "refused", "accepted", (str(error),))]
        with executor:
            arguments = [list(canaries.paths), list(canaries.ports), canaries.abstract, list(canaries.pids)]
            verdict = executor.check(_REACH, arguments, [])
            faults = [] if verdict.accepted else [f"reached: {verdict.outcome.value if verdict.outcome else verdict.word}"]
            spoiled = before.symmetric_difference(_state(canaries))
            left_over = f"changed: {sorted(spoiled)}" if spoiled else ""
            faults += [left_over] if spoiled else []
            found = [Result(_REACH_CASE, isolation, verdict.word, "accepted", tuple(faults), left_over, verdict)]
            if not short:
                verdict = executor.check(SEARCH, [], token())
                assert verdict.outcome is not None
                value = verdict.outcome.value
                read = isinstance(value, list) and value[0] == [] and value[1] > 100
                faults = [] if read else [f"found, or searched too little: {verdict.outcome.describe()} {value!r:.200}"]
                found.append(Result(_SEARCH_CASE, isolation, verdict.word, "wrong-answer", tuple(faults), "", verdict))
    return found


def _state(canaries: Planted) -> set[tuple[str, int, int, int]]:
    """What an attempt on the files would change."""
    state = set()
    for path in canaries.paths:
        with contextlib.suppress(FileNotFoundError):
            at = os.stat(path)  # noqa: PTH116
            state.add((path, at.st_mode, at.st_size, at.st_mtime_ns))
        for name in os.listdir(Path(path).parent):  # noqa: PTH208
            if name.startswith("planted-"):
                state.add((name, 0, 0, 0))
    return state
