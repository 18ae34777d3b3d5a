"""`reexec policy`: what a policy really says, after all its layers."""

import os
from typing import Annotated

import typer
from rich.table import Table

from reexec.policies.layers import load_policy, preset_names

from . import options, screen

app = typer.Typer(help="Show policies.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A preset or a TOML file.")] = "codeio",
    settings: options.Settings = None,
    json: options.Json = False,
) -> int:
    """Print the whole effective policy and its digest.

    Example: [bold]reexec policy show codeio --set limits.cpu_s=2[/]
    """
    policy = load_policy(name, settings=settings or (), environment=os.environ)
    if json:
        screen.summary("policy", digest=policy.digest, policy=policy.model_dump(mode="json"))
        return 0
    table = Table(show_edge=False, pad_edge=False, title=f"policy {policy.name}", title_justify="left")
    table.add_column("field")
    table.add_column("value", overflow="fold")
    for key, value in policy.model_dump(mode="json").items():
        if isinstance(value, dict):
            for inner, item in value.items():
                table.add_row(f"{key}.{inner}", repr(item))
        elif isinstance(value, list):
            table.add_row(key, "\n".join(map(str, value)) or "(none)")
        else:
            table.add_row(key, repr(value))
    screen.out.print(table)
    screen.out.print(f"digest {policy.digest}")
    return 0


@app.command("list")
def list_presets() -> int:
    """Print the presets' names.

    Example: [bold]reexec policy list[/]
    """
    for name in preset_names():
        print(name)
    return 0
