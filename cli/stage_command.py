"""A stage as a command: its settings become options, and what came of it a table for people or a line for machines."""

import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import ValidationError

from reexec.engine.errors import UsageError
from reexec.policies.faults import fault_of
from reexec.runners.execution import ExecutorOptions
from reexec.runners.rows.run import beside
from reexec.runners.settings import Settings, flag_of
from reexec.runners.stage import Stage, Summary

from . import exits, options, screen


@dataclass(frozen=True, slots=True)
class Done:
    """A stage that has run, for whoever shows it."""

    summary: Summary
    meter: screen.Meter
    source: Path
    output: Path
    settings: Any

    def count(self, name: str) -> int:
        return int(self.summary.counts[name])

    def tally(self, name: str) -> dict[str, int]:
        return dict(self.summary.counts[name])

    def tell_missing_modules(self) -> None:
        listed = ", ".join(f"{name} ({count:,})" for name, count in list(self.tally("missing_modules").items())[:8])
        if listed:
            screen.out.print(f"modules that programs lacked: {listed}")


Show = Callable[[Done], None]


def stage_command(
    app: typer.Typer,
    stage: type[Stage[Any]],
    show: Show,
    *,
    source: tuple[str, str],
    output: Any = options.Output,
    warn: Show | None = None,
    instead: tuple[str, Any, Callable[..., int]] | None = None,
) -> None:
    """Registers a stage under its name. `show` prints what came of it for a person, and its docstring is the help; `source` is
    the name of the input's argument, and its help; `warn` tells on stderr what is to be known in any case;
    `instead` is a switch (its name and type) with what is done in place of the stage."""
    model = stage.settings_type
    arguments = [name for name in model.model_fields if flag_of(model, name).argument]
    fields = [name for name in model.model_fields if not (name in arguments or flag_of(model, name).hidden)]
    parameters = [
        parameter(source[0], Annotated[list[Path] if arguments else Path, typer.Argument(help=source[1])]),
        parameter("output", output),
        *(option_of(model, name) for name in fields),
        *([parameter(instead[0], instead[1], False)] if instead else []),
        *(parameter(name, *of) for name, of in (options.EXECUTOR if stage.executes else {}).items()),
        *(parameter(name, *of) for name, of in (options.BACKEND if stage.executes else {}).items()),
        *(parameter(name, *of) for name, of in (options.CACHE if stage.recalls else {}).items()),
        *(parameter(name, *of) for name, of in options.FILES.items()),
    ]

    def command(**given: Any) -> int:
        first, more = _sources(given.pop(source[0]))
        target, json = given.pop("output"), given.pop("json")
        selection = options.selection(given.pop("limit"), given.pop("shard"), given.pop("map"))
        overwrite = given.pop("overwrite")
        where: options.Where = ("here", None, None)
        if stage.executes:
            where = (given.pop("backend"), given.pop("address"), given.pop("nodes"))
        executor = _executor_options(given, where[0] == "here") if stage.executes else None
        cached = given.pop("cache") if stage.recalls else "off"
        other = instead is not None and given.pop(instead[0])
        settings = settings_of(model, given | dict.fromkeys(arguments, more))
        if instead is not None and other:
            return instead[2](first, target, settings, selection, json)
        lines = screen.count_lines(first, selection.limit, selection.shard[1] if selection.shard else 1)
        words = lines and lines * stage.words_a_row(settings)
        with (
            options.opened_cache(cached) as cache,
            options.opened_fleet(where) as fleet,
            screen.progress(stage.name, words) as meter,
        ):
            executor = executor and replace(executor, cache=cache, fleet=fleet)
            summary = stage.run(first, target, settings, executor, selection=selection, overwrite=overwrite, progress=meter)
        done = Done(summary, meter, first, target, settings)
        if warn is not None:
            warn(done)
        tell(done, show, json)
        return exits.of(summary)

    register(app, stage.name, command, parameters, show.__doc__)


def register(
    app: typer.Typer, name: str, command: Callable[..., int], parameters: list[inspect.Parameter], help: str | None
) -> None:
    """Makes a command of a function that takes all of its options by name, whatever they are."""
    command.__doc__ = help
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    app.command(name)(command)


def tell(done: Done, show: Show, json: bool) -> None:
    """Prints a finished stage: rejects on stderr, then the line for machines or what `show` makes of it."""
    summary = done.summary
    rejects = done.output / "rejects.jsonl" if done.output.is_dir() else beside(done.output, "rejects.jsonl")
    screen.tell_rejects(summary.rejected, summary.first_reject, rejects, all_of_them=exits.is_useless(summary))
    if json:
        screen.summary(summary.stage, **fields_of(done))
    elif not (summary.read or summary.rejected):
        screen.tell_no_rows(done.source)
    elif not exits.is_useless(summary):
        show(done)


def fields_of(done: Done) -> dict[str, Any]:
    """The summary for machines."""
    summary = done.summary
    return {
        "isolation": summary.isolation,
        "workers": summary.workers,
        "rows": summary.rows,
        "rejected": summary.rejected,
        "resumed_rows": summary.resumed_rows,
        "wall_s": round(done.meter.wall_s, 3),
        "rows_per_s": round(done.meter.rows_per_s, 1),
        "engine_errors": summary.unchecked,
        **summary.counts,
        **summary.passing,
    }


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def option_of(model: type[Settings], name: str) -> inspect.Parameter:
    """A field as an option."""
    field, flag = model.model_fields[name], flag_of(model, name)
    annotation = _plain(field.annotation)
    option = typer.Option(*_names(model, name), help=field.description, metavar=flag.metavar or None)
    default = inspect.Parameter.empty if field.is_required() else field.default
    if get_origin(annotation) is tuple:  # words with commas between them
        annotation, default = str, ",".join(field.default)
    return parameter(name, Annotated[annotation, option], default)


def _names(model: type[Settings], name: str) -> Sequence[str]:
    given = "--" + name.replace("_", "-")
    on = model.model_fields[name].default is True
    return flag_of(model, name).names or (f"{given}/--no{given[1:]}" if on else given,)


def _plain(annotation: Any) -> Any:
    """The type without what pydantic is told of it."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return reduce(or_, map(_plain, get_args(annotation)))
    return annotation


def settings_of[S: Settings](model: type[S], given: dict[str, Any]) -> S:
    """Raises UsageError, which names the option."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        fault = fault_of(error, model, shown=True)
        if not first["loc"]:
            raise UsageError(fault) from None
        shown = "" if first["type"] == "value_error" else f" {first['input']}"
        raise UsageError(f"{_names(model, str(first['loc'][0]))[0].partition('/')[0]}{shown}: {fault}") from None


def _sources(given: Path | list[Path]) -> tuple[Path, tuple[Path, ...]]:
    return (given[0], tuple(given[1:])) if isinstance(given, list) else (given, ())


def _executor_options(given: dict[str, Any], here: bool) -> ExecutorOptions:
    policy = options.effective_policy(given.pop("policy"), given.pop("set"))
    return ExecutorOptions(policy, options.wanted_workers(given.pop("workers"), here), given.pop("python"))
