"""`reexec serve`: one executor for many programs, over HTTP."""

import importlib.util
import os
import sys
from typing import Annotated

import typer

from reexec.engine.errors import UsageError
from reexec.runners.extras import missing_extra

from . import exits, options
from .terminal import visible


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to bind; other than loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any that is free.", metavar="N")] = 8317,
    workers: options.Workers = None,
    policy: options.PolicyName = "serve",
    settings: options.Settings = None,
    python: options.Python = None,
    body_bytes: Annotated[int, typer.Option("--body-bytes", help="The longest request.", metavar="N")] = 16 << 20,
    calls: Annotated[int, typer.Option("--calls", help="Calls on their way, of all clients.", metavar="N")] = 16_384,
    client_calls: Annotated[int, typer.Option("--client-calls", help="Calls on their way of one client.", metavar="N")] = 8_192,
    connections: Annotated[int, typer.Option("--connections", help="Open connections.", metavar="N")] = 2_048,
    request_s: Annotated[float, typer.Option("--request-s", help="The longest that a request may wait.", metavar="S")] = 600.0,
    head_s: Annotated[float, typer.Option("--head-s", help="How long a connection may take to ask.", metavar="S")] = 30.0,
    body_s: Annotated[float, typer.Option("--body-s", help="How long a body may take to come.", metavar="S")] = 60.0,
    send_s: Annotated[float, typer.Option("--send-s", help="How long an answer may wait to be taken.", metavar="S")] = 60.0,
    drain_s: Annotated[float, typer.Option("--drain-s", help="Time for requests to end after SIGTERM.", metavar="S")] = 30.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No log line for each request.")] = False,
) -> int:
    """Serve one executor over HTTP: checks in batches, SandboxFusion's and open-instruct's routes, Prometheus metrics.

    Example: [bold]reexec serve --port 8317[/]

    REEXEC_TOKEN holds the token that clients must send (several: with commas); without one only this machine is served.
    SIGTERM lets requests end, then the service. It needs the extra `serve`.
    """
    if any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn", "prometheus_client")):
        raise missing_extra("serving", "serve")
    from reexec.runners.service.log import Log
    from reexec.runners.service.settings import ServiceSettings, tokens_of

    for name, value in (("--body-bytes", body_bytes), ("--calls", calls), ("--client-calls", client_calls),
                        ("--connections", connections), ("--request-s", request_s), ("--head-s", head_s),
                        ("--body-s", body_s), ("--send-s", send_s), ("--drain-s", drain_s)):  # fmt: skip
        if value <= 0:
            raise UsageError(f"{name} {value}: must be above 0")
    chosen = ServiceSettings(
        host=host, port=port, tokens=tokens_of(os.environ), body_bytes=body_bytes, held_bytes=16 * body_bytes, calls=calls,
        client_calls=min(calls, client_calls), batch_calls=min(4_096, calls, client_calls), connections=connections,
        request_s=request_s, head_s=head_s, body_s=body_s, send_s=send_s, drain_s=drain_s,
    )  # fmt: skip
    from reexec.runners.service.server import serve as run

    with options.open_executor(options.effective_policy(policy, settings), workers, python) as executor:
        run(executor, chosen, Log(requests=not quiet), lambda address: _say(f"reexec: serving on {address}"))
    return exits.DONE


def _say(text: str) -> None:
    print(visible(text), file=sys.stdout, flush=True)
