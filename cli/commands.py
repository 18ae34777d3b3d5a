"""The commands by name. A command's module is imported when that command is asked for: the help lists all of them and imports
none, and no command pays for what another needs."""

import re
from importlib import import_module
from pkgutil import get_data
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

NAMES = (
    "demo", "doctor", "call", "transform", "infer", "generate", "prompts", "verify", "revise", "assemble", "export", "pipeline",
    "audit", "merge", "explain", "rows", "report", "view", "grade", "serve", "policy", "env", "cache", "bench",
)  # fmt: skip
"""Modules beside this one, in the order of the help. Each has `register(app)`, or is a group of commands with its own `app`."""


def summary_of(name: str) -> str:
    """What the help says of a command: the first line of its function's docstring, or its group's help, read as text."""
    source = get_data("reexec.cli", f"{name}.py") or b""
    found = re.search(
        rf'^def (?:show_)?{name}\(.*?^    """(.+?)$|^app = typer\.Typer\(help="(.+?)"', source.decode(), re.M | re.S
    )
    return (found[1] or found[2]).removesuffix('"""') if found else ""


def load(name: str) -> Any:
    """The command itself."""
    module = import_module(f"reexec.cli.{name}")
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.callback()(lambda: None)
        module.register(app)
    return typer.main.get_group(app).commands[name]


class Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(NAMES)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary_of(name)) for name in NAMES])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in NAMES:
            self.commands[args[0]] = load(args[0])
        else:  # what was meant may be among them
            self.commands.update({name: TyperCommand(name) for name in NAMES})
        return super().resolve_command(ctx, args)
