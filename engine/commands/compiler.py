"""Compiles each program once, whoever asks and however often: a future for each, and what came of it.

Compiling is a run in a jail with limits of its own (the preset `compile`). Its result is bytes that the host keeps and never
runs, or one account that holds for all tests of the program.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from reexec.policies.model import IsolationLevel, Limits, Policy

from ..errors import EngineError
from ..executor import Executor
from ..outcome import Outcome, RaisedException
from ..own_terms import CallLimits
from ..program import Call, Command, CommandLine, Program
from .artefacts import Artefacts
from .prepare import PREPARED_INSIDE, prepared
from .probe import Found
from .toolchain import ran_out

Made = CommandLine | Outcome
"""What runs, or what every test of the program comes to."""
_Key = tuple[str, CallLimits | None]

MOST_KEPT = 4096
MESSAGE_CHARACTERS = 4000
_BUILD = Program((Path(__file__).parent / "inside" / "build.py").read_text(encoding="utf-8"), "build")


class Compiler:
    """Of one language. Thread-safe."""

    def __init__(
        self, found: Found, artefacts: Artefacts, policy: Policy, workers: int, isolation: IsolationLevel | str | None,
        run_limits: Limits,
    ) -> None:  # fmt: skip
        """`policy`: of compilations. Raises IsolationUnavailableError."""
        self._of_a_run = limit_names(run_limits)
        self._found, self._artefacts = found, artefacts
        self._lock = threading.Lock()
        self._made: OrderedDict[_Key, Future[Made]] = OrderedDict()
        compiles = found.toolchain.compile
        self._executor = None
        self._prepared = ""
        if compiles is not None:
            limits = policy.limits.model_copy(update=compiles.limits)
            own = policy.model_copy(update={"limits": limits})
            self._prepared = prepared(found)
            tools = found.compile_tools(self._prepared)
            self._executor = Executor(own, workers=workers, isolation=isolation, tools=tools)

    def ready(self, program: Command, limits: CallLimits | None = None, group: Hashable = None) -> "Future[Made]":
        """A future of what runs; done at once where it is known. It must not be cancelled: others may wait for it. What came
        of lower limits than the policy's is known to those who have the same."""
        if limits is not None and (self._executor is None or limits.changes_nothing(self._executor.policy.limits)):
            limits = None
        key = (program.id, limits)
        with self._lock:
            known = self._made.get(key)
            if known is not None:
                self._made.move_to_end(key)
                return known
            future: Future[Made] = Future()
            self._made[key] = future
            gone = [self._made.popitem(last=False)[1] for _ in range(len(self._made) - MOST_KEPT)]
        for each in gone:
            each.add_done_callback(self._forget)
        future.add_done_callback(lambda done: self._drop_failure(key, done))
        self._begin(program, future, limits, group)
        return future

    def _drop_failure(self, key: "_Key", future: "Future[Made]") -> None:
        """What the host failed at says nothing about the program: the next who asks compiles again."""
        if future.exception() is not None:
            with self._lock:
                if self._made.get(key) is future:
                    del self._made[key]

    def _begin(self, program: Command, future: "Future[Made]", limits: CallLimits | None, group: Hashable) -> None:
        source = program.source.encode("utf-8", "surrogatepass")
        compiles = self._found.toolchain.compile
        try:
            if compiles is None or self._executor is None:
                future.set_result(self._kept(source))
                return
            name = compiles.name_of(program.source)
            names = limit_names(self._executor.policy.limits)
            names |= {"name": name, "source": compiles.source.replace("{name}", name), "output": compiles.output}
            names["prepared"] = PREPARED_INSIDE
            steps = [[self._found.filled(each, **names) for each in step] for step in compiles.steps]
            environment = {key: self._found.filled(value, **names) for key, value in compiles.environment.items()}
            prepared = (self._prepared, PREPARED_INSIDE)
            call = Call((source, names["source"], steps, compiles.output, environment, prepared))
            running = self._executor.submit(_BUILD, call, limits=limits, group=group)
        except Exception as error:
            future.set_exception(error)
            return

        def done(finished: Future[Outcome]) -> None:
            try:
                future.set_result(self._read(finished.result()))
            except BaseException as error:
                future.set_exception(error)

        running.add_done_callback(done)

    def _read(self, outcome: Outcome) -> Made:
        if outcome.kind == "engine-error":
            raise EngineError(f"cannot compile: {outcome.detail}", stage="compile", retry_helps=True)
        claim = outcome.value
        if outcome.kind == "value" and isinstance(claim, dict):
            output, message = claim.get("output"), claim.get("message")
            if isinstance(output, bytes):
                return self._kept(output)
            if isinstance(message, str):
                compiles = self._found.toolchain.compile
                if compiles is not None and ran_out(compiles.out_of_memory, message):
                    return Outcome(
                        "memory-limit", detail="while compiling: the compiler had no memory left", usage=outcome.usage
                    )
                return _failed(_ended(message.strip(), claim.get("status")))
        if outcome.kind in ("value", "bad-result"):
            return _failed("the compiler's own process was tampered with")
        if outcome.kind == "exception":
            return _failed(outcome.describe())
        return Outcome(outcome.kind, detail=f"while compiling: {outcome.detail}".rstrip(": "), usage=outcome.usage)

    def _kept(self, content: bytes) -> CommandLine:
        run = self._found.toolchain.run
        try:
            name = self._artefacts.put(content)
        except OSError as error:
            raise EngineError(f"cannot keep what was compiled: {error}", stage="compile", retry_helps=True) from error
        names = {"artefact": self._artefacts.path_inside(name), **self._of_a_run}
        return command_line(
            [self._found.filled(each, **names) for each in run.arguments],
            {key: self._found.filled(value, **names) for key, value in run.environment.items()},
        )

    def _forget(self, future: "Future[Made]") -> None:
        made = future.result() if future.exception() is None else None
        if isinstance(made, CommandLine):
            for name in re.findall(rf"{re.escape(self._artefacts.path_inside(''))}([0-9a-f]{{32}})", made.source)[:1]:
                self._artefacts.drop(name)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()

    def statistics(self) -> Any:
        return None if self._executor is None else self._executor.statistics()


def limit_names(limits: Limits) -> dict[str, str]:
    """What a toolchain file can say of the limits, for run times that want to be told."""
    stack_kib = limits.stack_bytes >> 10
    return {
        "memory_mib": str(limits.memory_bytes >> 20), "stack_kib": str(stack_kib), "half_stack_kib": str(stack_kib // 2),
    }  # fmt: skip


def command_line(arguments: list[str], environment: dict[str, str]) -> CommandLine:
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8", "TZ": "UTC", "TMPDIR": "/scratch"}
    return CommandLine(json.dumps({"arguments": arguments, "environment": base | environment}))


def _ended(message: str, status: object) -> str:
    """A compiler that crashed says so in no message of its own."""
    if not isinstance(status, int) or (message and status >= 0):
        return message
    said = f"signal {-status}" if status < 0 else f"exit status {status}"
    return f"{message}\n(the compiler ended by {said})".lstrip()


def _failed(message: str) -> Outcome:
    return Outcome("exception", exception=RaisedException("CompileError", message[:MESSAGE_CHARACTERS]))
