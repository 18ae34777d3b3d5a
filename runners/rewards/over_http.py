"""Rewards over HTTP, for trainers whose own machines cannot run programs: `python3 -m reexec.rewards.over_http`.

    OpenRLHF   `--reward.remote_url ADDRESS`: posts {"query": [...], "prompts": [...], "labels": [...]}, waits 180 s, asks up
               to five times, and takes {"rewards", "scores", "extra_logs"} with a number for each query
    slime      `--rm-type remote_rm --rm-url ADDRESS`: posts {"prompt", "response", "label"} of one sample, asks up to ten
               times, and takes a number

Neither sends a token, so whoever reaches the port can have programs run in the sandbox.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_args

from reexec.engine.errors import EngineError, ReexecError, UsageError

from ..extras import missing_extra
from ..graders.text_rules import TextRule
from .core import Reward
from .hearing import heard
from .openrlhf import response_of

PORT, TIMEOUT_S = 5000, 150.0
"""The timeout is below OpenRLHF's, so that it hears an error and not nothing."""
MOST_BODY_BYTES = 64 << 20
_LISTS = ("query", "prompts", "labels")


async def answer_to(reward: Reward, body: bytes) -> tuple[int, Any]:
    """(HTTP status, answer) for the body of a request."""
    try:
        asked = _object(body)
        if "response" in asked:
            return 200, heard(await reward.ascore(asked["response"], asked.get("label")))
        queries, prompts, labels = _lists(asked)
        texts = [response_of(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
        scores = await reward.ascore_many(texts, labels)
        rewards = [heard(score) for score in scores]
    except UsageError as error:
        return 422, _fault("bad-request", error)
    except EngineError as error:
        return 503, _fault("engine-error", error)
    accepted = [float(score.verdict == "accepted") for score in scores]
    return 200, {"rewards": rewards, "scores": rewards, "extra_logs": {"accepted": accepted}}


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise UsageError("expected an object with query, prompts and labels, or with response and label, at $")
    return found


def _lists(found: dict[str, Any]) -> tuple[list[str], list[Any], list[Any]]:
    lists: list[list[Any]] = []
    for name in _LISTS:
        each = found.get(name)
        if not isinstance(each, list) or (lists and len(each) != len(lists[0])):
            raise UsageError(f"expected lists of one length in query, prompts and labels, at $.{name}")
        lists.append(each)
    if not all(isinstance(each, str) for each in lists[0]):
        raise UsageError("expected texts, at $.query")
    return lists[0], lists[1], lists[2]


def _fault(code: str, error: ReexecError) -> dict[str, Any]:
    return {"error": {"code": code, "message": str(error)}}


def app_for(reward: Reward) -> Any:
    """The ASGI application: POST to any path is a request for rewards, GET says that it serves."""
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def rewards(request: Request) -> Response:
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY_BYTES:
                    return JSONResponse(_fault("body-too-large", UsageError(f"more than {MOST_BODY_BYTES >> 20} MiB")), 413)
        except ClientDisconnect:
            return Response(status_code=400)
        status, found = await answer_to(reward, bytes(body))
        if status != 200:
            print(f"reexec: {status}: {found['error']['message']}", file=sys.stderr, flush=True)
        return JSONResponse(found, status)

    async def alive(_request: Request) -> Response:
        return JSONResponse({"serving": "rewards"})

    routes = [Route("/{path:path}", rewards, methods=["POST"]), Route("/{path:path}", alive, methods=["GET"])]
    return Starlette(routes=routes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        "python3 -m reexec.rewards.over_http", description="Rewards for OpenRLHF and slime over HTTP."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to bind; clients send no token")
    parser.add_argument("--port", type=int, default=PORT, help="0: any that is free")
    parser.add_argument("--workers", type=int, help="checks at the same time")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds for one request")
    parser.add_argument("--grade", choices=("all", "fraction"), default="all")
    parser.add_argument("--compare", choices=get_args(TextRule), default="lines")
    parser.add_argument("--unlifted", choices=("run", "refuse"), default="run")
    parser.add_argument("--policy", help="a preset or a TOML file")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="PATH=VALUE")
    given = vars(parser.parse_args(arguments))
    try:
        import uvicorn
        from starlette.applications import Starlette  # noqa: F401
    except ImportError:
        print(f"reexec: {missing_extra('rewards over HTTP', 'serve')}", file=sys.stderr)
        return 2
    try:
        reward = Reward(**{each.name: given[each.name] for each in fields(Reward)})
    except UsageError as error:
        print(f"reexec: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(app_for(reward), host=given["host"], port=given["port"], log_level="warning", server_header=False)
    server = uvicorn.Server(config)
    with config.bind_socket() as listener:
        listener.listen(config.backlog)  # who reads the line may ask at once
        host, port = listener.getsockname()[:2]
        print(f"reexec: rewards at http://{host}:{port}/get_reward", flush=True)
        asyncio.run(server.serve([listener]))
    return 0
