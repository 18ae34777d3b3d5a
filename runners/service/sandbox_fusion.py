"""SandboxFusion's POST /run_code, for its clients as they are (the `sandbox-fusion` package, verl, and others).

Python programs run as scripts in the executor's warm workers, those of other languages as commands (`languages.py`).
"""

import asyncio
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reexec.engine.errors import DeadlineExceededError, EngineError, UsageError
from reexec.engine.outcome import Outcome
from reexec.engine.program import Script, Stdin
from reexec.policies.faults import fault_of, located, path_of

from ..rows.text import dump_line
from . import schemas
from .desk import Client
from .languages import TOOLCHAINS
from .settings import ServiceSettings
from .timing import within
from .work import Shop, Ticket, aside, begin, read_object

MIB = 1 << 20


class RunCodeRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    code: str
    language: str
    stdin: str | None = None
    compile_timeout: float = Field(default=10, gt=0)
    run_timeout: float = Field(default=10, gt=0)
    memory_limit_MB: int = -1  # noqa: N815 - the protocol's spelling
    files: dict[str, str | None] = {}
    fetch_files: list[str] = []
    args: list[str] = []


class CommandRunResult(BaseModel):
    status: str
    execution_time: float | None = None
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class RunCodeResponse(BaseModel):
    status: str
    message: str = ""
    compile_result: CommandRunResult | None = None
    run_result: CommandRunResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = {}


def add(app: FastAPI, shop: Shop, settings: ServiceSettings) -> None:
    @app.post(
        "/run_code",
        openapi_extra=schemas.body_of(RunCodeRequest.model_json_schema()),
        responses=schemas.answers_of("Ran, or `SandboxError`.", RunCodeResponse.model_json_schema()),
    )
    async def run_code(request: Request) -> Response:
        """SandboxFusion's: runs a whole program."""
        body = await request.body()
        asked = parsed(RunCodeRequest, await read_object(body))
        client: Client = request.scope["reexec.client"]
        with shop.desk.admitted(client):
            answer = await _answer(shop, client, asked, settings.request_s)
        return Response(await aside(_size(answer), lambda: dump_line(answer.model_dump())), media_type="application/json")


def parsed[M: BaseModel](model: type[M], data: dict[str, Any]) -> M:
    """Raises UsageError with the path of the fault."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UsageError(located(fault_of(error, model), path_of(error))) from None


async def _answer(shop: Shop, client: Client, asked: RunCodeRequest, timeout_s: float) -> RunCodeResponse:
    if asked.language != "python" and asked.language not in TOOLCHAINS:
        return _refused(f"the language {asked.language!r} does not run here; known: python, {', '.join(sorted(TOOLCHAINS))}")
    try:
        return await _run(shop, client, asked, timeout_s)
    except DeadlineExceededError:
        raise  # 504, after which clients ask again
    except (UsageError, EngineError) as error:
        return _refused(str(error))


async def _run(shop: Shop, client: Client, asked: RunCodeRequest, timeout_s: float) -> RunCodeResponse:
    if any(content is not None for content in asked.files.values()) or asked.fetch_files:
        return _refused("programs here get no files of their own; send what they need as stdin")
    given = Stdin.of(asked.stdin or "")
    compiles = False
    if asked.language == "python":
        ticket = begin(shop, client, Script(asked.code), given, timeout_s)
    else:
        compiles = shop.languages.compiles(asked.language)
        began = time.monotonic()
        ticket = Ticket(await asyncio.to_thread(shop.languages.submit, asked.language, asked.code, given), began)
    try:
        async with asyncio.timeout(timeout_s):
            outcome, late = await within(asked.run_timeout, shop, ticket)
    except TimeoutError:
        raise DeadlineExceededError("no answer in time") from None
    if outcome is not None and outcome.kind == "engine-error":
        return _refused(outcome.describe())
    if outcome is not None and outcome.exception is not None and outcome.exception.type == "CompileError":
        refused = CommandRunResult(status="Finished", return_code=1, stdout="", stderr=f"{outcome.exception.message}\n")
        return RunCodeResponse(status="Failed", compile_result=refused)
    compiled = CommandRunResult(status="Finished", return_code=0, stdout="", stderr="") if compiles else None
    ran = _late(outcome) if outcome is None or late else _run_result(outcome, asked.memory_limit_MB)
    return RunCodeResponse(status="Success" if ran.return_code == 0 else "Failed", compile_result=compiled, run_result=ran)


_KILLED = -9
"""The return code of a program that was ended."""


def _late(outcome: Outcome | None) -> CommandRunResult:
    if outcome is None:
        return CommandRunResult(status="TimeLimitExceeded", stdout="", stderr="")
    wall_s = outcome.usage.wall_s
    return CommandRunResult(status="TimeLimitExceeded", execution_time=wall_s, stdout=outcome.stdout, stderr=outcome.stderr)


def _run_result(outcome: Outcome, memory_mb: int) -> CommandRunResult:
    """The protocol knows a return code, or that time was over; what else a policy forbids is told on stderr."""
    wall_s, stdout, stderr = outcome.usage.wall_s, outcome.stdout, outcome.stderr
    code, more = 0, ""
    if 0 < memory_mb * MIB < outcome.usage.peak_bytes:
        code, more = 1, f"MemoryError: the program used {outcome.usage.peak_bytes >> 20} MiB of {memory_mb}"
    elif outcome.kind == "value":
        code = outcome.value if isinstance(outcome.value, int) else 1
    elif outcome.kind == "exception" or outcome.kind == "memory-limit":
        code, more = 1, _traceback(outcome)
    else:
        code, more = _KILLED, f"reexec: {outcome.describe()}"
    joined = "\n".join(filter(None, (stderr.rstrip("\n"), more)))
    return CommandRunResult(
        status="Finished", execution_time=wall_s, return_code=code, stdout=stdout, stderr=f"{joined}\n" if more else stderr
    )


def _traceback(outcome: Outcome) -> str:
    """As Python prints it, as far as it is known."""
    raised = outcome.exception
    if raised is None:
        return f"MemoryError: {outcome.detail}".rstrip(": ")
    lines = [f'  File "main.py", line {line}, in {name}' for line, name in raised.lines]
    head = ["Traceback (most recent call last):", *lines] if lines else []
    return "\n".join([*head, f"{raised.type}: {raised.message}".rstrip(": ")])


def _refused(message: str) -> RunCodeResponse:
    return RunCodeResponse(status="SandboxError", message=message)


def _size(answer: RunCodeResponse) -> int:
    ran = answer.run_result
    return len(ran.stdout or "") + len(ran.stderr or "") if ran is not None else 0
