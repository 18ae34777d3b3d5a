"""open-instruct's POST /test_program (assertions) and /test_program_stdio (standard input and output).

Assertions are lifted: the program gets the calls, and the values are judged here (runners/graders/lifting). Tests that cannot
be lifted run as they are.
"""

import asyncio
import base64
import binascii
import io
import json
import pickle  # see _Plain
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from reexec.engine.errors import EngineError, ReexecError, UsageError
from reexec.engine.outcome import Outcome
from reexec.engine.own_terms import CallLimits
from reexec.engine.program import Script, Stdin

from ..graders.assertions import AssertionTest, ProblemTest, plan_assertions
from ..graders.lifting import Lifted, lift_all
from ..graders.plan import LIMITS_ON_TIME, Plan, Result, Run, settle
from ..graders.text_rules import joined, text_difference
from ..rows.text import dump_line
from . import schemas
from .desk import Client
from .sandbox_fusion import parsed
from .settings import ServiceSettings
from .work import Shop, aside, begin, outcome_of, read_object

MOST_UNPACKED_BYTES = 64 << 20
KNOWN_TESTS = 4096
"""Assertions whose lifted form is kept: many programs come for the same tests."""
NOT_PASSED_S = -1.0


class TestRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    program: str
    tests: Any = Field(description="An array, or the text that open-instruct packs one into.")
    max_execution_time: float = Field(default=1.0, gt=0)


_PAIR = {"type": "object", "properties": {"input": {}, "output": {}}, "required": ["input", "output"]}


def _body(test: dict[str, Any]) -> dict[str, Any]:
    """What FastAPI is told of a request whose tests are of this form."""
    schema = TestRequest.model_json_schema()
    packed = {"type": "string", "description": "An array as JSON, or packed as open-instruct does."}
    schema["properties"]["tests"] = {"anyOf": [{"type": "array", "items": test}, packed, {"type": "null"}]}
    return schemas.body_of(schema)


class TestResponse(BaseModel):
    results: list[int]
    runtimes: list[float]


def add(app: FastAPI, shop: Shop, settings: ServiceSettings) -> None:
    responses = schemas.answers_of("1 for each test that passed.", TestResponse.model_json_schema())
    lifted = _Lifted(shop)

    @app.post("/test_program", openapi_extra=_body({"type": "string"}), responses=responses)
    async def test_program(request: Request) -> Response:
        """open-instruct's: assertions about a program's functions."""

        async def plan(asked: TestRequest, tests: list[Any]) -> list[Plan]:
            if not all(isinstance(test, str) for test in tests):
                raise UsageError("expected an array of assertions as texts, at $.tests")
            return [plan_assertions(asked.program, found) for found in await lifted.of(tests)]

        return await _graded(request, plan, judge_plan)

    @app.post("/test_program_stdio", openapi_extra=_body(_PAIR), responses=responses)
    async def test_program_stdio(request: Request) -> Response:
        """open-instruct's: what a program prints for what it reads."""

        async def plan(_: TestRequest, tests: list[Any]) -> list[Any]:
            if not all(isinstance(test, dict) and {"input", "output"} <= test.keys() for test in tests):
                raise UsageError("expected an array of objects with input and output, at $.tests")
            return tests

        return await _graded(request, plan, judge_stdio)

    async def judge_plan(client: Client, asked: TestRequest, plan: Plan) -> tuple[bool, float]:
        wall_s = 0.0
        for test in plan.tests:
            outcomes: list[Outcome] = []
            for run in test.runs:
                outcome = await _run(client, run, asked.max_execution_time)
                if outcome is None:
                    return False, NOT_PASSED_S
                wall_s += outcome.usage.wall_s
                outcomes.append(outcome)
            if not _said(settle(test, outcomes)):
                return False, NOT_PASSED_S
        return True, wall_s

    async def judge_stdio(client: Client, asked: TestRequest, test: dict[str, Any]) -> tuple[bool, float]:
        run = Run(Script(asked.program), Stdin.of(joined(test["input"])))
        outcome = await _run(client, run, asked.max_execution_time)
        if outcome is None or outcome.kind != "value" or outcome.value != 0:
            return False, NOT_PASSED_S
        right = not text_difference(outcome.stdout, joined(test["output"]), "lines")
        return (True, outcome.usage.wall_s) if right else (False, NOT_PASSED_S)

    async def _run(client: Client, run: Run, limit_s: float) -> Outcome | None:
        """None where it was late."""
        limits = CallLimits(cpu_s=limit_s, idle_s=limit_s)
        outcome, _ = await outcome_of(shop, begin(shop, client, run.program, run.call, settings.request_s, limits=limits))
        if outcome.kind == "engine-error":
            raise failure_of(outcome)
        return None if outcome.kind in LIMITS_ON_TIME else outcome

    async def _graded(
        request: Request,
        plan: Callable[[TestRequest, list[Any]], Awaitable[list[Any]]],
        judge: Callable[[Client, TestRequest, Any], Coroutine[Any, Any, tuple[bool, float]]],
    ) -> Response:
        body = await request.body()
        asked = parsed(TestRequest, await read_object(body))
        tests = await aside(len(body), unpacked, asked.tests)
        client: Client = request.scope["reexec.client"]
        with shop.desk.admitted(client, len(tests)):
            planned = await plan(asked, tests)
            found = await _all([judge(client, asked, one) for one in planned])
        answer = {"results": [int(right) for right, _ in found], "runtimes": [wall_s for _, wall_s in found]}
        return Response(dump_line(answer), media_type="application/json")


async def _all[T](judging: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Raises what one of them raised; the others are ended."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in judging]
    except* ReexecError as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return [task.result() for task in tasks]


def _said(result: Result) -> bool:
    if result.word == "engine-error":
        assert result.outcome is not None
        raise failure_of(result.outcome)
    return result.passed


def failure_of(outcome: Outcome) -> EngineError:
    return EngineError(outcome.describe(), stage="run", retry_helps=True)


class _Lifted:
    """The lifted forms of tests."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._known: OrderedDict[str, Lifted] = OrderedDict()

    async def of(self, tests: list[str]) -> list[AssertionTest]:
        fresh = [test for test in dict.fromkeys(tests) if test not in self._known]
        found: dict[str, Lifted] = {test: self._known[test] for test in tests if test in self._known}
        if fresh:
            lift = lift_all(self._shop.executor, ((f"{test}\n", test) for test in fresh))
            found |= {test: lifted for lifted, test in await asyncio.to_thread(list, lift)}
        for test in tests:
            self._known[test] = found[test]
            self._known.move_to_end(test)
        while len(self._known) > KNOWN_TESTS:
            self._known.popitem(last=False)
        return [AssertionTest(ProblemTest("", test), found[test]) for test in tests]


class _Plain(pickle.Unpickler):
    """Of a pickle only what is plain data: texts, numbers, lists, dicts. It can name no class and no function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(str(pid))


def unpacked(tests: Any) -> list[Any]:
    """The tests of a request: an array, an array as JSON text, or open-instruct's packed form (base64 of zlib of a pickle).
    Raises UsageError."""
    if isinstance(tests, list):
        return tests
    if tests is None or tests == "":
        return []
    if not isinstance(tests, str):
        raise UsageError("expected an array of tests, at $.tests")
    try:
        found = json.loads(tests)
    except RecursionError:
        raise UsageError("nested too deeply, at $.tests") from None
    except ValueError:
        found = _of_pickle(tests)
    if not isinstance(found, list):
        raise UsageError("expected an array of tests in the text, at $.tests")
    return found


def _of_pickle(text: str) -> Any:
    try:
        opened = zlib.decompressobj()
        data = opened.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED_BYTES)
        if opened.unconsumed_tail:
            raise UsageError(f"more than {MOST_UNPACKED_BYTES >> 20} MiB when unpacked, at $.tests")
        return _Plain(io.BytesIO(data)).load()
    except UsageError:
        raise
    except (binascii.Error, zlib.error, pickle.UnpicklingError, ValueError, EOFError, LookupError, TypeError, AttributeError,
            MemoryError, RecursionError):  # fmt: skip
        raise UsageError("neither JSON nor tests as open-instruct packs them, at $.tests") from None
