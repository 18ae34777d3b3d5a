"""`reexec grade TASK`: samples of a benchmark to verdicts and pass@k."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from reexec.engine.cache import OutcomeCache
from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.policies.model import Policy
from reexec.runners.backends.fleet import Fleet
from reexec.runners.execution import ExecutorOptions
from reexec.runners.graders.cruxeval_run import grade_cruxeval, read_generations
from reexec.runners.graders.io_tests import PYTHON_NAME
from reexec.runners.graders.problems import Problems
from reexec.runners.graders.registry import task_named
from reexec.runners.graders.samples import one_a_row
from reexec.runners.graders.stage import GradeSummary
from reexec.runners.graders.stage import grade as run_grade
from reexec.runners.graders.task import Task
from reexec.runners.rows.run import beside

from . import exits, options, screen
from .grade_package import package
from .grade_summary import grade_fields, spared_by, tell_losses, tell_spared

app = typer.Typer(help="Grade samples of a benchmark.", no_args_is_help=True, rich_markup_mode="rich")

ProblemFiles = Annotated[
    list[Path],
    typer.Option(
        "--problems", help="Problems, JSON Lines; a further file adds members to problems of the same id.", metavar="FILE"
    ),
]
Samples = Annotated[
    Path, typer.Option("--samples", help="Rows with task_id and solution, completion or response.", metavar="FILE|FOLDER")
]
GradePolicy = Annotated[
    str, typer.Option("--policy", "-p", help="A preset (grade, strict, ...) or a TOML file.", metavar="NAME|FILE.toml")
]


def _example(name: str, what: str) -> str:
    files = f"--problems examples/graders/{name}.jsonl --samples examples/graders/{name}-samples.jsonl"
    return f"{what}\n\nExample: [bold]reexec grade {name} {files} -o {name}-graded.jsonl[/]"


def _add_assertions(name: str, what: str) -> None:
    """The command of a benchmark whose tests are assertions."""

    def grade_assertions(
        problems: ProblemFiles,
        samples: Samples,
        output: options.Output,
        unlifted: Annotated[
            Literal["run", "refuse"],
            typer.Option("--unlifted", help="Tests that can only run beside the solution: run them there, or refuse."),
        ] = "run",
        workers: options.Workers = None,
        policy: GradePolicy = "grade",
        settings: options.Settings = None,
        python: options.Python = None,
        backend: options.Backend = "here",
        address: options.Address = None,
        nodes: options.Nodes = None,
        cache: options.Cache = None,
        limit: options.Limit = None,
        shard: options.Shard = None,
        overwrite: options.Overwrite = False,
        json: options.Json = False,
    ) -> int:
        where = (backend, address, nodes)
        request = Request(samples, output, workers, policy, settings, python, where, cache, limit, shard, overwrite, json)
        return request.run(name, problems, unlifted=unlifted)

    grade_assertions.__doc__ = _example(name, what)
    app.command(name)(grade_assertions)


_add_assertions("humaneval", "HumanEval: complete functions, judged by `check(candidate)`.")
_add_assertions("mbpp", "MBPP: functions, judged by a list of assertions.")


def evalplus(
    problems: ProblemFiles,
    samples: Samples,
    output: options.Output,
    workers: options.Workers = None,
    policy: GradePolicy = "evalplus",
    settings: options.Settings = None,
    python: options.Python = None,
    backend: options.Backend = "here",
    address: options.Address = None,
    nodes: options.Nodes = None,
    cache: options.Cache = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    where = (backend, address, nodes)
    request = Request(samples, output, workers, policy, settings, python, where, cache, limit, shard, overwrite, json)
    return request.run("evalplus", problems)


evalplus.__doc__ = _example("evalplus", "EvalPlus: HumanEval+ and MBPP+, judged by what the canonical solution returns.")
app.command("evalplus")(evalplus)


@app.command("tests")
def io_tests(
    samples: Annotated[Path, typer.Option("--samples", help="Rows with code, and tests or a task_id.", metavar="FILE")],
    output: options.Output,
    problems: Annotated[
        list[Path] | None, typer.Option("--problems", help="Problems with their tests, JSON Lines.", metavar="FILE")
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            "--language",
            help="The language of the samples: a name, a toolchain's TOML file, or row: each sample says its own.",
            metavar="NAME",
        ),
    ] = "python",
    score: Annotated[
        Literal["all", "fraction", "first-failure"],
        typer.Option(
            "--score", help="all: 1 if every test passes; fraction: the share; first-failure: as all, and stop there."
        ),
    ] = "all",
    compare: Annotated[
        Literal["lines", "tokens", "numbers", "apps", "livecodebench"],
        typer.Option("--compare", help="How printed text is compared; apps, livecodebench: all values as that tool does."),
    ] = "lines",
    first: Annotated[int | None, typer.Option("--first", help="Only the first N tests of each set.", metavar="N")] = None,
    workers: options.Workers = None,
    policy: GradePolicy = "contest",
    settings: options.Settings = None,
    python: options.Python = None,
    backend: options.Backend = "here",
    address: options.Address = None,
    nodes: options.Nodes = None,
    cache: options.Cache = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Tests over standard input and output, or over calls: APPS, TACO, LiveCodeBench and their like.

    Example: [bold]reexec grade tests --problems examples/graders/tests.jsonl --samples examples/graders/tests-samples.jsonl -o tests-graded.jsonl[/]
    """  # noqa: E501
    where = (backend, address, nodes)
    request = Request(samples, output, workers, policy, settings, python, where, cache, limit, shard, overwrite, json)
    return request.run("tests", problems or [], language=language, score=score, compare=compare, first=first)


app.command("package")(package)


@app.command("cruxeval")
def cruxeval(
    problems: ProblemFiles,
    generations: Annotated[Path, typer.Option("--generations", help="A JSON object of id to texts.", metavar="FILE.json")],
    mode: Annotated[Literal["input", "output"], typer.Option("--mode", help="What was predicted.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The scored JSON file to write.", metavar="FILE.json")],
    semantics: Annotated[
        Literal["literal", "official"],
        typer.Option("--semantics", help="literal: literals only; official: expressions too, counted as the harness does."),
    ] = "literal",
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Official scores to compare with.", metavar="FILE.json")
    ] = None,
    workers: options.Workers = None,
    policy: GradePolicy = "cruxeval",
    settings: options.Settings = None,
    python: options.Python = None,
    backend: options.Backend = "here",
    address: options.Address = None,
    nodes: options.Nodes = None,
    cache: options.Cache = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """CRUXEval: predicted outputs, or inputs, of short functions.

    Example: [bold]reexec grade cruxeval --problems examples/graders/cruxeval.jsonl --generations examples/graders/cruxeval-generations.json --mode output -o scored.json[/]
    """  # noqa: E501
    rows = sum(map(len, read_generations(generations).values()))
    used = options.effective_policy(policy, settings)
    with (
        options.opened_cache(cache) as kept,
        options.opened_fleet((backend, address, nodes)) as fleet,
        opened(used, workers, python, kept, fleet) as executor,
    ):
        with screen.progress("grade cruxeval", rows) as meter:
            result = grade_cruxeval(
                problems,
                generations,
                output,
                executor,
                mode=mode,
                semantics=semantics,
                scores_path=scores,
                overwrite=overwrite,
                on_row=meter.tell,
            )
        failed = result.verdicts.get("engine-error", 0)
        if json:
            screen.summary(
                "grade",
                task="cruxeval",
                mode=mode,
                semantics=semantics,
                rows=result.rows,
                passed=result.passed,
                pass_at_1=result.pass_at_1,
                pass_at_5=result.pass_at_5,
                disagreements=result.disagreements,
                lifted=1.0,
                verdicts=result.verdicts,
                isolation=executor.isolation.value,
                workers=executor.workers,
                **spared_by(executor),
                wall_s=round(meter.wall_s, 3),
                rows_per_s=round(meter.rows_per_s, 1),
                engine_errors=failed,
            )
        else:
            screen.out.print(screen.count_table(f"{result.rows:,} predictions", result.verdicts))
            screen.out.print(f"pass@1 {result.pass_at_1:.1f}, pass@5 {result.pass_at_5:.1f} (percent)")
            tell_spared(executor)
            if result.disagreements is not None:
                screen.out.print(
                    f"{result.disagreements:,} predictions are judged otherwise by {scores} "
                    f"(see {beside(output, 'tests.jsonl')})"
                )
    return exits.IMPERFECT if failed else exits.DONE


def opened(
    policy: Policy, workers: int | None, python: Path | None, cache: OutcomeCache | None, fleet: Fleet | None
) -> Executor:
    return ExecutorOptions(policy, options.wanted_workers(workers, fleet is None), python, cache, fleet).open()


@dataclass(frozen=True, slots=True)
class Request:
    """The options that all tasks share, and the run that they ask for."""

    samples: Path
    output: Path
    workers: int | None
    policy: str
    settings: list[str] | None
    python: Path | None
    where: options.Where
    cache: str | None
    limit: int | None
    shard: str | None
    overwrite: bool
    json: bool

    def run(self, name: str, problem_paths: list[Path], **chosen: Any) -> int:
        kind = task_named(name)
        selection = options.selection(self.limit, self.shard)
        problems = Problems(problem_paths, kind.needs)
        samples = one_a_row(self.samples, beside(self.output, "samples.jsonl"))
        rows = screen.count_lines(samples, self.limit, selection.shard[1] if selection.shard else 1)
        policy = options.effective_policy(self.policy, self.settings)
        language = chosen.get("language", PYTHON_NAME)
        with (
            options.opened_cache(self.cache) as cache,
            options.opened_fleet(self.where) as fleet,
            self._opened(policy, language, cache, fleet) as executor,
        ):
            task = kind(problems, executor, **chosen)
            with screen.progress(f"grade {name}", rows) as meter:
                result = run_grade(
                    task,
                    samples,
                    self.output,
                    executor,
                    selection=selection,
                    overwrite=self.overwrite,
                    on_row=meter.tell,
                    on_resume=meter.resumed,
                )
            if not (result.rows or result.rejected or self.json):
                screen.tell_no_rows(self.samples)
            show_grade(task, result, executor, meter, self.output, self.json)
        return exits.of_files(result.rows, result.rejected, result.engine_errors)

    def _opened(self, policy: Policy, language: str, cache: OutcomeCache | None, fleet: Fleet | None) -> AnyExecutor:
        if language == PYTHON_NAME:
            return opened(policy, self.workers, self.python, cache, fleet)
        if fleet is not None:
            raise UsageError("--backend is for programs in Python; split a file in other languages with --shard i/n")
        if self.python is not None:
            raise UsageError("--python chooses the interpreter of Python's samples; it has no meaning beside --language")
        compiles = options.effective_policy(COMPILE_POLICY, None)
        return CommandExecutor(policy, workers=options.worker_count(self.workers), compile_policy=compiles)


def show_grade(task: Task, result: GradeSummary, executor: AnyExecutor, meter: screen.Meter, output: Path, json: bool) -> None:
    tell_losses(result, output)
    if json:
        screen.summary("grade", **grade_fields(task, result, executor, meter))
        return
    if not result.rows:
        return
    title = f"{screen.number_of(result.rows, 'sample')} of {screen.number_of(result.problems, 'problem')}"
    screen.out.print(screen.count_table(title, result.verdicts))
    for k, each in result.estimates.items():
        screen.out.print(f"pass@{k} {each.value:.4f}  (95 %: {each.low:.4f} to {each.high:.4f})")
    left = len(task.problems) - result.problems
    if left > 0:
        screen.out.print(f"{screen.number_of(left, 'problem')} without a sample: not counted")
    if result.lifted is not None:
        screen.out.print(f"{100 * result.lifted:.1f} % of the assertions were judged outside of the jail")
    if result.resumed_rows and not meter.rows:
        screen.out.print(f"{output} is complete already; nothing to do")
    else:
        screen.out.print(screen.pace(meter, executor.workers, executor.isolation.value))
        tell_spared(executor)
