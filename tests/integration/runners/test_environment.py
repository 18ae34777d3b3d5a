"""The environment of checked programs: made once, completed later; and what a finished run lacked."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.runners import environment
from tests.conftest import lacking
from tests.integration.runners.test_generate import unified
from tests.support.helpers import function_row, read_rows, reexec, response, write_rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of two small packages, one of which does not exist."""
    folder = tmp_path_factory.mktemp("environment")
    (folder / "few.txt").write_text("# two\nsix  # small\n\nsurely-not-a-package-of-anybody\n")
    done = reexec("env", "create", folder / "env", "--set", folder / "few.txt", "--json", timeout=300)
    if not (folder / "env" / "bin" / "python").exists() or not done.summary["rows"]:
        lacking(f"a package registry: {done.err or done.out}")
    assert done.code == 1
    assert done.summary["added"] == ["six"]
    assert list(done.summary["failed"]) == ["surely-not-a-package-of-anybody"]
    assert all(done.summary["failed"].values())
    return folder


def test_a_second_run_with_nothing_to_do_is_quick(made: Path) -> None:
    (made / "one.txt").write_text("six\n")
    began = time.monotonic()
    done = reexec("env", "create", made / "env", "--set", made / "one.txt", "--json")
    assert (done.code, done.summary["added"], done.summary["failed"], done.summary["rows"]) == (0, [], {}, 1)
    assert time.monotonic() - began < 10
    record = json.loads((made / "env" / "reexec-env.json").read_text())
    assert list(record["packages"]) == ["six"]


def test_programs_run_in_it(made: Path) -> None:
    program = made / "p.py"
    program.write_text("import six\ndef f(n):\n    return six.text_type(n)\n")
    done = reexec("call", program, "--entry", "f", "--input", '{"n": 5}', "--python", made / "env" / "bin" / "python")
    assert json.loads(done.out)["outcome"]["value"] == "5"


def test_what_is_installed_has_byte_code_which_a_jail_could_not_write(made: Path) -> None:
    (module,) = made.glob("env/lib/python*/site-packages/six.py")
    assert list((module.parent / "__pycache__").glob("six.*.pyc"))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(UsageError, match="exists and is not a virtual environment"):
        environment.create(tmp_path, name="minimal")
    with pytest.raises(UsageError, match=r"neither a set \(codeio, minimal\) nor a file"):
        environment.create(tmp_path / "env", name="nothing")


def test_it_is_made_without_uv_too(tmp_path: Path) -> None:
    """An installed package on a machine without uv: the standard library's venv, and pip."""
    installed = tmp_path / "site" / "reexec"
    shutil.copytree(Path(environment.__file__).parents[1], installed, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "empty.txt").write_text("# nothing\n")
    code = (
        "from pathlib import Path; from reexec.runners import environment as e; import sys; "
        "made = e.create(Path(sys.argv[1]), name=sys.argv[2]); print(e.__file__, made.python.exists(), made.packages)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "env"), str(tmp_path / "empty.txt")],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ensurepip" in done.stderr:
        lacking("python -m venv with pip")
    assert done.stdout.split() == [str(installed / "runners" / "environment.py"), "True", "{}"], done.stderr


def test_sets_name_packages_that_the_map_knows() -> None:
    assert set(environment.set_names()) == {"codeio", "minimal"}
    packages = environment.packages_of("codeio")
    assert {"numpy", "scipy", "pandas", "sympy", "networkx", "scikit-learn"} <= set(packages)
    assert len(packages) == len(set(packages))


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("cv2", "opencv-python-headless"), ("sklearn", "scikit-learn"), ("PIL", "pillow"), ("yaml", "pyyaml"),
        ("numpy", "numpy"), ("dateutil", "python-dateutil"), ("my_helpers", None),
    ],
)  # fmt: skip
def test_modules_are_known_by_their_packages(module: str, package: str | None) -> None:
    assert environment.package_of(module) == package


def missing_in(report: Path) -> tuple[str, dict[str, tuple[str | None, int]]]:
    done = reexec("env", "missing", report, "--json")
    assert done.code == 0, done.err
    return done.summary["unit"], {one["module"]: (one["package"], one["rows"]) for one in done.summary["modules"]}


def test_what_runs_of_every_kind_lacked(tmp_path: Path) -> None:
    lacks = "import {}\ndef main_solution(n):\n    return n"
    rows = [unified(lacks.format(name)) for name in ("obspy.core", "cv2", "obspy", "local_helpers")]
    reexec("generate", write_rows(tmp_path / "u.jsonl", rows), "-o", tmp_path / "f.jsonl")
    expected = {"obspy": (None, 2), "cv2": ("opencv-python-headless", 1), "local_helpers": (None, 1)}
    assert missing_in(tmp_path / "f.jsonl") == ("functions", expected)
    assert missing_in(tmp_path / "f.manifest.json") == ("functions", expected)
    drops = tmp_path / "copy.jsonl"
    shutil.copy(tmp_path / "f.drops.jsonl", drops)
    assert missing_in(drops) == ("rows", expected)

    functions = write_rows(
        tmp_path / "functions.jsonl", [function_row("import cv2\ndef f(n):\n    return n", ({"n": 1}, 1), ({"n": 2}, 2))]
    )
    reexec("audit", functions, "-o", tmp_path / "report.jsonl")
    assert missing_in(tmp_path / "report.jsonl") == ("pairs", {"cv2": ("opencv-python-headless", 2)})
    copied = write_rows(tmp_path / "report-copy.jsonl", read_rows(tmp_path / "report.jsonl"))
    assert missing_in(copied) == ("rows", {"cv2": ("opencv-python-headless", 2)})

    responses = write_rows(tmp_path / "responses.jsonl", [response(0, 0, {"n": 1}, "i")])
    reexec("verify", responses, "--functions", functions, "-o", tmp_path / "verified.jsonl")
    assert missing_in(tmp_path / "verified.jsonl") == ("predictions", {"cv2": ("opencv-python-headless", 1)})


def test_a_report_that_says_nothing_of_modules_is_refused(tmp_path: Path) -> None:
    done = reexec("env", "missing", write_rows(tmp_path / "x.jsonl", [{"a": 1}]))
    assert (done.code, "neither a run's output" in done.one_line()) == (2, True)
    reexec("transform", write_rows(tmp_path / "raw.jsonl", [{"content": "x"}]), "-o", tmp_path / "m.jsonl")
    done = reexec("env", "missing", tmp_path / "m.jsonl")
    assert (done.code, "a run of transform does not say" in done.one_line()) == (2, True)
