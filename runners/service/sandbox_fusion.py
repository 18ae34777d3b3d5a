"""SandboxFusion's POST /run_code, for its clients as they are (the `sandbox-fusion` package, verl, and others).

Python programs run as scripts in the executor's warm workers, those of other languages as commands (`languages.py`).
"""

import asyncio
import base64
import signal
import time
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reexec.engine.errors import DeadlineExceededError, EngineError, UsageError
from reexec.engine.outcome import Outcome
from reexec.engine.own_terms import CallLimits, Files, file_path
from reexec.engine.program import Script, Stdin
from reexec.policies.faults import fault_of, located, path_of

from ..graders.plan import LIMITS_ON_TIME
from ..rows.text import dump_line
from . import schemas
from .desk import Client
from .languages import TOOLCHAINS
from .settings import ServiceSettings
from .work import Shop, Ticket, aside, begin, outcome_of, read_object

MIB = 1 << 20


def _whole(value: Any) -> Any:
    """In JSON, 3.0 is an integer as well."""
    return int(value) if type(value) is float and value.is_integer() else value


class RunCodeRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    code: str
    language: str
    stdin: str | None = None
    compile_timeout: float = Field(default=10, gt=0)
    run_timeout: float = Field(default=10, gt=0)
    memory_limit_MB: Annotated[int, BeforeValidator(_whole)] = -1  # noqa: N815 - the protocol's spelling
    files: dict[str, str | None] = {}
    fetch_files: list[str] = []
    args: list[str] = []


class CommandRunResult(BaseModel):
    status: str
    execution_time: float | None = None
    cpu_time: float | None = None
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
    if asked.args:  # a program without them would answer for another one
        return _refused("arguments of the command line are not passed here, at $.args; give them as standard input")
    try:
        return await _run(shop, client, asked, timeout_s)
    except DeadlineExceededError:
        raise  # 504, after which clients ask again
    except (UsageError, EngineError) as error:
        return _refused(str(error))


async def _run(shop: Shop, client: Client, asked: RunCodeRequest, timeout_s: float) -> RunCodeResponse:
    files, outside = await aside(sum(map(len, filter(None, asked.files.values()))), files_of, asked)
    given, limits = Stdin.of(asked.stdin or ""), _limits(asked.run_timeout, asked.memory_limit_MB)
    if asked.language == "python":
        ticket = begin(shop, client, Script(asked.code), given, timeout_s, limits=limits, files=files)
        outcome, _ = await outcome_of(shop, ticket)
        answer = _answer_of(outcome, "python")
        answer.files = await _fetched(ticket.future, files)
    else:
        future = await shop.languages.begin(
            client, asked.language, asked.code, given, limits=limits, compile_limits=_limits(asked.compile_timeout), files=files
        )
        ticket = Ticket(future, time.monotonic())
        try:
            async with asyncio.timeout(timeout_s):
                outcome, _ = await outcome_of(shop, ticket)
        except TimeoutError:
            raise DeadlineExceededError("no answer in time") from None
        if future.run is None:
            answer = _not_compiled(outcome)
        else:
            answer = _answer_of(outcome, asked.language)
            answer.files = await _fetched(future, files)
            if shop.languages.compiles(asked.language):
                seconds = future.compiled_s
                answer.compile_result = CommandRunResult(
                    status="Finished", execution_time=seconds, return_code=0, stdout="", stderr=""
                )
    if outside and answer.status != "SandboxError":
        answer.message = f"not in the program's folder: {', '.join(map(ascii, outside))}"[:1000]
    return answer


def _limits(seconds: float, memory_mb: int = -1) -> CallLimits:
    """A time that is named counts processor time, and time asleep."""
    return CallLimits(cpu_s=seconds, idle_s=seconds, memory_bytes=memory_mb * MIB if memory_mb > 0 else None)


def files_of(asked: RunCodeRequest) -> tuple[Files | None, list[str]]:
    """The files around a run, and those wanted that cannot lie in its folder. Raises UsageError."""
    given: dict[str, bytes] = {}
    for name, content in asked.files.items():
        if content is None or _IGNORED in name:  # as the protocol has it
            continue
        try:
            given[name] = base64.b64decode(content, validate=True)
        except ValueError:
            raise UsageError(f"not base64, at $.files.{ascii(name)[:80]}") from None
    wanted, outside = [], []
    for name in dict.fromkeys(asked.fetch_files):
        try:
            file_path(name)
        except UsageError:
            outside.append(name)
        else:
            wanted.append(name)
    return (Files(given, wanted) if given or wanted else None), outside


async def _fetched(future: Any, files: Files | None) -> dict[str, str]:
    if files is None or not files.wanted:
        return {}
    found: dict[str, bytes] = future.files()
    size = sum(map(len, found.values()))
    return await aside(size, lambda: {name: base64.b64encode(content).decode() for name, content in found.items()})


_KILLED = -9
"""The return code of a program that was ended."""
_IGNORED = "IGNORE_THIS_FILE"


def _not_compiled(outcome: Outcome) -> RunCodeResponse:
    if outcome.kind == "engine-error":
        return _refused(outcome.describe())
    if outcome.kind in LIMITS_ON_TIME:
        late = CommandRunResult(status="TimeLimitExceeded", execution_time=outcome.usage.wall_s, stdout="", stderr="")
        return RunCodeResponse(status="Failed", compile_result=late)
    raised = outcome.exception
    said = raised.message if raised is not None else outcome.describe()
    wrong = CommandRunResult(
        status="Finished", execution_time=outcome.usage.wall_s, return_code=1, stdout="", stderr=f"{said}\n"
    )
    return RunCodeResponse(status="Failed", compile_result=wrong)


def _answer_of(outcome: Outcome, language: str) -> RunCodeResponse:
    if outcome.kind == "engine-error":
        return _refused(outcome.describe())
    ran = _run_result(outcome, language)
    return RunCodeResponse(status="Success" if ran.return_code == 0 else "Failed", run_result=ran)


def _run_result(outcome: Outcome, language: str) -> CommandRunResult:
    """The protocol knows a return code, or that time was over; what else a policy forbids is told on stderr."""
    usage, stderr = outcome.usage, outcome.stderr
    status, code, more = "Finished", None, ""
    if outcome.kind in LIMITS_ON_TIME:
        status = "TimeLimitExceeded"
    elif outcome.kind == "value":
        code = outcome.value if isinstance(outcome.value, int) else 1
    elif outcome.kind == "exception" or (outcome.kind == "memory-limit" and language == "python"):
        code, more = _code_of(outcome), _traceback(outcome)
    else:
        code, more = _KILLED, f"reexec: {outcome.describe()}"
    joined = "\n".join(filter(None, (stderr.rstrip("\n"), more)))
    return CommandRunResult(
        status=status, execution_time=usage.wall_s, cpu_time=usage.cpu_s, return_code=code, stdout=outcome.stdout,
        stderr=f"{joined}\n" if more else stderr,
    )  # fmt: skip


def _code_of(outcome: Outcome) -> int:
    """Of a program that an exception or a signal ended: as a shell's parent sees it."""
    name = outcome.exception.type if outcome.exception is not None else ""
    return -signal.Signals[name].value if name in signal.Signals.__members__ else 1


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
    printed = len(ran.stdout or "") + len(ran.stderr or "") if ran is not None else 0
    return printed + sum(map(len, answer.files.values()))
