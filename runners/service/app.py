"""The routes of /v1, and the application around them."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from reexec.engine.errors import ReexecError, UsageError
from reexec.engine.executor import Executor
from reexec.engine.json_form import members, to_plain
from reexec.engine.program import Check, Program, call_from_json
from reexec.engine.version import VERSION

from ..rows.text import BadRowError, dump_line
from . import open_instruct, sandbox_fusion, schemas
from .desk import Client, Desk
from .faults import Refused, refusal_of
from .guard import OPEN_TO_ALL, Guard
from .languages import Languages
from .log import Log
from .metrics import CONTENT_TYPE, Metrics
from .settings import ServiceSettings
from .work import Shop, Ticket, aside, begin, outcome_of, read_object, verdict_of

AHEAD_CALLS = 256
AHEAD_BYTES = 8 << 20
"""What a batch may have on its way before the client has taken what came before."""


def client_in(request: Request) -> Client:
    found = request.scope["reexec.client"]
    assert isinstance(found, Client)
    return found


def make_app(executor: Executor, languages: Languages, settings: ServiceSettings, log: Log) -> Guard:
    desk = Desk(settings)
    shop = Shop(executor, desk, Metrics(executor, desk), languages)
    app = FastAPI(
        title="reexec", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        redirect_slashes=False,  # a redirect names the scheme that is seen here: behind TLS it would lead to plain HTTP
    )  # fmt: skip
    for kind in (Refused, ReexecError, BadRowError, Exception):  # the last one is told, and raised again for the log
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(HTTPException, _told_by_starlette)
    _add_v1(app, shop, settings)
    sandbox_fusion.add(app, shop, settings)
    open_instruct.add(app, shop, settings)
    if settings.tokens:
        schemas.ask_for_tokens(app.openapi(), OPEN_TO_ALL)  # FastAPI keeps the page that it has made
    routes = frozenset(getattr(route, "path", "") for route in app.routes)
    return Guard(app, settings, desk, shop.metrics, log, routes)


async def _told(_: Request, error: Exception) -> Response:
    refusal = refusal_of(error)
    return Response(refusal.body(), refusal.status, refusal.all_headers(), "application/json")


async def _told_by_starlette(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed = Headers(error.headers).get("allow", "")
    known = {
        404: ("not-found", "no such route; GET /openapi.json lists them"),
        405: ("method-not-allowed", f"this route takes {allowed}"),
    }
    refusal = Refused(error.status_code, *known.get(error.status_code, ("bad-request", str(error.detail))))
    return Response(refusal.body(), error.status_code, dict(error.headers or {}), "application/json")


def timeout_of(data: dict[str, Any], settings: ServiceSettings) -> float:
    """Takes `timeout_s` out of a request; the service's own is the longest."""
    wanted = data.pop("timeout_s", None)
    if wanted is None:
        return settings.request_s
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not 0 < wanted < 1e9:
        raise UsageError("timeout_s is a number of seconds above 0, at $.timeout_s")
    return min(float(wanted), settings.request_s)


def _add_v1(app: FastAPI, shop: Shop, settings: ServiceSettings) -> None:
    @app.post("/v1/check", openapi_extra=schemas.body("CheckRequest"), responses=schemas.answers("Verdict"))
    async def check(request: Request) -> Response:
        """One prediction: the verdict on a call's result."""
        body = await request.body()
        data = await read_object(body)
        timeout_s = timeout_of(data, settings)
        asked = await aside(len(body), Check.from_json, data)
        client = client_in(request)
        with shop.desk.admitted(client):
            verdict, size = await verdict_of(shop, asked, _begin(shop, client, asked, timeout_s))
            return _json(await aside(size, lambda: dump_line(verdict.to_json())))

    @app.post("/v1/execute", openapi_extra=schemas.body("ExecuteRequest"), responses=schemas.answers("Outcome"))
    async def execute(request: Request) -> Response:
        """One call: what it did."""
        body = await request.body()
        data = await read_object(body)
        timeout_s = timeout_of(data, settings)
        fields = members(data, "a request", "program", "call", optional=("watch_arguments", "watch_sources"))
        for name in ("watch_arguments", "watch_sources"):
            if fields[name] is not None and not isinstance(fields[name], bool):
                raise UsageError(f"expected true or false, at $.{name}")
        program, call = Program.from_json(fields["program"]), call_from_json(fields["call"])
        client = client_in(request)
        with shop.desk.admitted(client):
            ticket = begin(
                shop, client, program, call, timeout_s,
                watch_arguments=bool(fields["watch_arguments"]), watch_sources=bool(fields["watch_sources"]),
            )  # fmt: skip
            outcome, size = await outcome_of(shop, ticket)
            return _json(await aside(size, lambda: dump_line(outcome.to_json())))

    @app.post("/v1/checks", openapi_extra=schemas.body("ChecksRequest"), responses=schemas.answers("Verdicts"))
    async def checks(request: Request) -> Response:
        """Many predictions: their verdicts in order, written as they are done. A check without an answer has `error` in its
        place."""
        body = await request.body()
        data = await read_object(body)
        timeout_s = timeout_of(data, settings)
        fields = members(data, "a request", "checks")
        if type(fields["checks"]) is not list:
            raise UsageError("expected an array, at $.checks")
        asked = await aside(len(body), _checks_of, fields["checks"])
        client, room = client_in(request), request.scope["reexec.room"]
        room.enter_context(shop.desk.admitted(client, len(asked)))
        return StreamingResponse(_verdicts(shop, client, asked, timeout_s, room), media_type="application/json")

    @app.head("/v1/health", include_in_schema=False)  # as some load balancers ask
    @app.get("/v1/health", responses=schemas.answers("Health"))
    async def health() -> Response:
        """Whether calls are taken: 200, or 503 with the reason."""
        failure = shop.executor.failure
        if failure is not None:
            return _json(dump_line({"status": "failed", "message": str(failure)}), 503)
        return _json(dump_line({"status": "ok"}))

    @app.get("/health", include_in_schema=False)
    async def healthy() -> Response:
        return _json(dump_line({"status": "healthy"}))  # open-instruct's spelling

    @app.get("/v1/ping", include_in_schema=False)
    async def ping() -> Response:
        return _json(b'"pong"')  # SandboxFusion's

    @app.get("/v1/info", responses=schemas.answers("Info"))
    async def info() -> Response:
        """What runs here: isolation, policy, interpreter, caps."""
        found = shop.executor
        caps = ("body_bytes", "batch_calls", "client_calls", "calls", "request_s")
        return _json(
            dump_line(
                {
                    "version": VERSION,
                    "isolation": found.isolation.value,
                    "workers": found.workers,
                    "python": found.interpreter.version_text,
                    "policy": found.policy.model_dump(mode="json"),
                    "policy_digest": found.policy.digest,
                    "languages": ["python", *await asyncio.to_thread(shop.languages.here)],
                    "caps": {name: getattr(settings, name) for name in caps},
                }
            )
        )

    @app.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(shop.metrics.text(), media_type=CONTENT_TYPE)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _begin(shop: Shop, client: Client, check: Check, timeout_s: float) -> Ticket:
    rule = check.rule_or(shop.executor.policy.comparison)
    check.require_attainable(rule)
    return begin(shop, client, check.program, check.call, timeout_s, rule=rule)


def _checks_of(items: list[Any]) -> list[Check]:
    found = []
    for index, item in enumerate(items):
        try:
            found.append(Check.from_json(item))
        except UsageError as error:
            raise UsageError(f"{error}, in $.checks[{index}]") from None
    return found


async def _verdicts(
    shop: Shop, client: Client, checks: list[Check], timeout_s: float, room: contextlib.ExitStack
) -> AsyncIterator[bytes]:
    """The answer of a batch. At most AHEAD_CALLS are given to the executor before their turn to be written has come. What is
    left when the request ends is ended with it."""
    deadline = time.monotonic() + timeout_s
    waiting: deque[tuple[Check, Ticket | Exception]] = deque()
    room.callback(lambda: [ticket.future.cancel() for _, ticket in waiting if isinstance(ticket, Ticket)])
    rest = iter(checks)
    exhausted = False
    yield b'{"verdicts": ['
    between = b""
    while True:
        done_bytes = sum(ticket.answer_bytes() for _, ticket in waiting if isinstance(ticket, Ticket))
        while not exhausted and len(waiting) < AHEAD_CALLS and (done_bytes < AHEAD_BYTES or not waiting):
            check = next(rest, None)
            if check is None:
                exhausted = True
                break
            try:
                waiting.append((check, _begin(shop, client, check, max(0.001, deadline - time.monotonic()))))
            except ReexecError as error:
                waiting.append((check, error))
        if not waiting:
            break
        check, ticket = waiting.popleft()
        yield between + await _item(shop, check, ticket)
        between = b", "
    yield b"]}"


async def _item(shop: Shop, check: Check, ticket: Ticket | Exception) -> bytes:
    try:
        if isinstance(ticket, Exception):
            raise ticket
        verdict, size = await verdict_of(shop, check, ticket)
    except ReexecError as error:
        refusal = refusal_of(error)
        return dump_line({"error": {"code": refusal.word, "message": refusal.message}, "id": to_plain(check.id)})
    return await aside(size, lambda: dump_line(verdict.to_json()))
