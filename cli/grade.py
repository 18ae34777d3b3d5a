"""`reexec grade TASK`: samples of a benchmark to verdicts and pass@k."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from reexec.runners.graders.cruxeval_run import grade_cruxeval, read_generations
from reexec.runners.rows.run import beside

from . import exits, options, screen
from .grade_package import package
from .grade_summary import spared_by, tell_spared
from .task_command import Shared, task_command

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


def _example(name: str, what: str) -> str:
    files = f"--problems examples/graders/{name}.jsonl --samples examples/graders/{name}-samples.jsonl"
    return f"{what}\n\nExample: [bold]reexec grade {name} {files} -o {name}-graded.jsonl[/]"


def _add_assertions(name: str, what: str) -> None:
    """The command of a benchmark whose tests are assertions."""

    def grade_assertions(
        shared: Shared,
        problems: ProblemFiles,
        samples: Samples,
        output: options.Output,
        unlifted: Annotated[
            Literal["run", "refuse"],
            typer.Option("--unlifted", help="Tests that can only run beside the solution: run them there, or refuse."),
        ] = "run",
    ) -> int:
        return shared.grade(name, problems, samples, output, unlifted=unlifted)

    task_command(app, name, "grade", help=_example(name, what))(grade_assertions)


_add_assertions("humaneval", "HumanEval: complete functions, judged by `check(candidate)`.")
_add_assertions("mbpp", "MBPP: functions, judged by a list of assertions.")


@task_command(
    app, "evalplus", "evalplus",
    help=_example("evalplus", "EvalPlus: HumanEval+ and MBPP+, judged by what the canonical solution returns."),
)  # fmt: skip
def evalplus(shared: Shared, problems: ProblemFiles, samples: Samples, output: options.Output) -> int:
    return shared.grade("evalplus", problems, samples, output)


@task_command(app, "tests", "contest")
def io_tests(
    shared: Shared,
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
) -> int:
    """Tests over standard input and output, or over calls: APPS, TACO, LiveCodeBench and their like.

    Example: [bold]reexec grade tests --problems examples/graders/tests.jsonl --samples examples/graders/tests-samples.jsonl -o tests-graded.jsonl[/]
    """  # noqa: E501
    return shared.grade("tests", problems or [], samples, output, language=language, score=score, compare=compare, first=first)


task_command(app, "package", "contest", without={"shard", *options.BACKEND})(package)


@task_command(app, "cruxeval", "cruxeval", without={"limit", "shard"})
def cruxeval(
    shared: Shared,
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
) -> int:
    """CRUXEval: predicted outputs, or inputs, of short functions.

    Example: [bold]reexec grade cruxeval --problems examples/graders/cruxeval.jsonl --generations examples/graders/cruxeval-generations.json --mode output -o scored.json[/]
    """  # noqa: E501
    rows = sum(map(len, read_generations(generations).values()))
    with shared.python_executor() as executor:
        with screen.progress("grade cruxeval", rows) as meter:
            result = grade_cruxeval(
                problems,
                generations,
                output,
                executor,
                mode=mode,
                semantics=semantics,
                scores_path=scores,
                overwrite=shared.overwrite,
                on_row=meter.tell,
            )
        failed = result.verdicts.get("engine-error", 0)
        if shared.json:
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
