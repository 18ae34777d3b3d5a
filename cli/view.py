"""`reexec view`: a whole run in the browser."""

import importlib.util
import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.errors import UsageError
from reexec.runners.extras import missing_extra

from . import exits, screen
from .terminal import visible

_NEEDED = ("jinja2", "duckdb", "starlette", "uvicorn")


def register(app: typer.Typer) -> None:
    app.command("view")(view)


def view(
    run: Annotated[Path, typer.Argument(help="A pipeline's folder, or a file that a stage wrote.", metavar="RUN|FILE")],
    host: Annotated[str, typer.Option("--host", help="The address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any that is free.", metavar="N")] = 0,
    other_machines: Annotated[
        bool, typer.Option("--other-machines", help="Let --host be an address that other machines reach, without encryption.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> int:
    """Look at a whole run in the browser: figures, and every row with filters, search and a page of its own.

    Example: [bold]reexec view run[/]

    Only this machine is served, and only who knows the address that it prints. Ctrl-C ends it. It needs the extra `report`.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise missing_extra("the view", "report")
    from reexec.runners.service.settings import is_loopback
    from reexec.runners.view import server
    from reexec.runners.view.session import Session

    if not is_loopback(host) and not other_machines:
        raise UsageError(
            f"--host {host}: other machines could read the run, without encryption; say --other-machines if that is meant, "
            "or stay on 127.0.0.1 and use ssh -L"
        )
    listener = server.bind(host, port)
    with listener:
        with screen.progress("reading the run", None) as meter:
            session = Session(run, lambda: meter.tell("rows"))
        opening = _Opening(no_browser)
        try:
            server.serve(session, listener, host, opening)
        finally:
            opening.close()
            session.close()
    print(visible(f"reexec: the view of {run} has ended"), file=sys.stderr, flush=True)
    return exits.DONE


class _Opening:
    """Prints the address, and opens it in a browser where there is a screen."""

    def __init__(self, no_browser: bool) -> None:
        has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        self._opens = has_screen and not no_browser and sys.stdout.isatty()
        self._page = ""

    def __call__(self, address: str) -> None:
        print(visible(f"reexec: {address} (Ctrl-C ends it)"), flush=True)
        if self._opens:
            # Arguments of processes are seen by all users, and the address is the key: the browser is given a file of ours.
            handle, self._page = tempfile.mkstemp(prefix="reexec-view-", suffix=".html")
            with open(handle, "w") as file:
                link = f'<a href="{address}">the view</a>'
                file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">{link}\n')
            webbrowser.open(Path(self._page).as_uri())

    def close(self) -> None:
        if self._page:
            Path(self._page).unlink(missing_ok=True)
