"""Files that cannot be read or written: one clear line, code 2, nothing of the user's is touched."""

import gzip
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.records.functions import FunctionStore
from tests.conftest import lacking
from tests.support.helpers import (
    COMMAND,
    Done,
    environment,
    example_functions,
    example_responses,
    function_row,
    manifest_of,
    read_rows,
    reexec,
    reexec_cold,
    response,
    write_rows,
)


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "functions.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1))])


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "responses.jsonl", [response(0, 0, 1), response(0, 0, 2)])


def refused(done: Done, *says: str) -> None:
    assert done.code == 2
    line = done.one_line()
    for text in says:
        assert text in line


# -- what is read ---------------------------------------------------------------------------------------------


def test_a_missing_file_is_named_and_leaves_no_output(tmp_path: Path, functions: Path, responses: Path) -> None:
    missing, output = tmp_path / "missing.jsonl", tmp_path / "out.jsonl"
    before = sorted(tmp_path.iterdir())
    refused(reexec("verify", missing, "-f", functions, "-o", output), str(missing), "no such file")
    refused(reexec("verify", responses, "-f", missing, "-o", output), str(missing), "no such file")
    refused(reexec("audit", missing, "-o", output), str(missing), "no such file")
    refused(reexec("explain", missing, "x"), str(missing), "no such file")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_instead_of_a_file_is_named(tmp_path: Path, functions: Path, responses: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out.jsonl"
    folder.mkdir()
    refused(reexec("verify", folder, "-f", functions, "-o", output), str(folder), "a folder")
    refused(reexec("verify", responses, "-f", folder, "-o", output), str(folder), "a folder")
    refused(reexec("audit", folder, "-o", output), str(folder), "a folder")
    refused(reexec("explain", folder, "x"), str(folder), "a folder")
    refused(reexec("call", folder), str(folder), "a folder")
    refused(reexec("verify", responses, "-f", functions, "-o", folder), str(folder), "is a folder; an output is a file")


def test_an_empty_functions_file_is_refused(tmp_path: Path, responses: Path) -> None:
    empty = write_rows(tmp_path / "empty.jsonl", [])
    refused(reexec("verify", responses, "-f", empty, "-o", tmp_path / "o.jsonl"), str(empty), "holds no functions")


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "noise.jsonl.gz", "damaged.jsonl.gz"])
def test_a_file_that_breaks_off_keeps_the_rows_before(name: str, tmp_path: Path, functions: Path) -> None:
    rows = [response(0, 0, 1, index=index) for index in range(3000)]
    first = write_rows(tmp_path / "first.jsonl.gz", rows[:2000]).read_bytes()
    packed = first + write_rows(tmp_path / "rest.jsonl.gz", rows[2000:]).read_bytes()
    data = {"cut": packed[: len(packed) // 2], "noise": b"\x1f\x8bnoise", "damaged": first + packed[:10] + b"\xff" * 99}
    broken = tmp_path / name
    broken.write_bytes(data[name.partition(".")[0]])
    output = tmp_path / "out.jsonl"
    refused(reexec("verify", broken, "-f", functions, "-o", output), f"{broken}, line ", "breaks off")
    kept = read_rows(output)
    assert [row["index"] for row in kept] == list(range(len(kept)))
    assert len(kept) > 50 or name == "noise.jsonl.gz"
    assert manifest_of(output)["state"] == "interrupted"
    refused(reexec("verify", broken, "-f", functions, "-o", output), "breaks off")
    assert read_rows(output) == kept
    whole = tmp_path / "mended.jsonl.gz"
    whole.write_bytes(packed)
    assert reexec("verify", whole, "-f", functions, "-o", output).code == 0
    assert [row["index"] for row in read_rows(output)] == list(range(3000))


@pytest.mark.parametrize(
    ("begin", "told"),
    [
        (
            b'[{"itemid": 0},\n {"itemid": 1}]\n',
            "is a JSON array; expected JSON Lines, an object on each line: jq -c '.[]' r.jsonl",
        ),
        (b'\xef\xbb\xbf\n[\n  {"itemid": 0}\n]\n', "is a JSON array"),
        (
            b'{\r\n  "itemid": 0\r\n}\r\n',
            "its objects span several lines; expected JSON Lines, an object on each line: jq -c . r.jsonl",
        ),
        (gzip.compress(b'{"itemid": 0}\n'), "is compressed by gzip: let its name end in .gz"),
        (b"\x28\xb5\x2f\xfd\x20\x05", "is compressed by zstd: let its name end in .zst"),
        (b"PK\x03\x04 \x00", "is a zip archive"),
        (b"PAR1\x15\x04", "is a Parquet file"),
        ('{"itemid": 0}\n'.encode("utf-16-le"), "is UTF-16 text: save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_json_lines_is_told_what_it_is(begin: bytes, told: str, tmp_path: Path, functions: Path) -> None:
    rows = tmp_path / "r.jsonl"
    rows.write_bytes(begin)
    refused(reexec("verify", rows, "-f", functions, "-o", tmp_path / "o.jsonl"), "no row could be used", told)
    with pytest.raises(UsageError, match=f"holds no functions: .*{re.escape(told)}"):
        FunctionStore(rows)


def test_a_functions_file_whose_first_line_is_an_array_keeps_its_other_rows(tmp_path: Path) -> None:
    row = function_row("def f(n):\n    return n", ({"n": 1}, 1))
    store = FunctionStore(write_rows(tmp_path / "f.jsonl", ["[1]", row]))
    assert store.at(1).program.entry == "f"


def test_utf_16_is_refused_in_its_own_words(tmp_path: Path, functions: Path) -> None:
    rows = tmp_path / "r.jsonl"
    rows.write_bytes('{"itemid": 0}\n'.encode("utf-16"))
    done = reexec("verify", rows, "-f", functions, "-o", tmp_path / "o.jsonl")
    refused(done, f"{rows}: UTF-16 text; JSON Lines are UTF-8")
    assert "breaks off" not in done.err


def test_a_functions_file_that_breaks_off_is_refused(tmp_path: Path, functions: Path, responses: Path) -> None:
    broken = tmp_path / "f.jsonl.gz"
    broken.write_bytes(gzip.compress(functions.read_bytes())[:-12])
    refused(reexec("verify", responses, "-f", broken, "-o", tmp_path / "o.jsonl"), str(broken), "breaks off")


def test_functions_may_come_through_a_pipe(tmp_path: Path, functions: Path, responses: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", str(functions), str(pipe)]) as writer:
        assert reexec("verify", responses, "-f", pipe, "-o", tmp_path / "o.jsonl").code == 0
        writer.wait(timeout=10)


@pytest.mark.parametrize("python", ["/bin/true", "/nonexistent/python", "python3", "/etc/passwd", "/tmp"])
def test_a_python_that_is_none_is_refused(python: str, tmp_path: Path, functions: Path, responses: Path) -> None:
    output = tmp_path / "o.jsonl"
    refused(reexec("verify", responses, "-f", functions, "-o", output, "--python", python), f"--python {python}")
    refused(reexec("audit", functions, "-o", output, "--python", python), f"--python {python}")
    refused(reexec("call", f"{functions}#0", "--python", python), f"--python {python}")
    assert not output.exists()


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_no_workers_are_refused(workers: str, tmp_path: Path, functions: Path, responses: Path) -> None:
    refused(reexec("verify", responses, "-f", functions, "-o", tmp_path / "o.jsonl", "--workers", workers), "1 or more")
    refused(reexec("audit", functions, "-o", tmp_path / "o.jsonl", "-w", workers), "1 or more")
    refused(reexec("demo", "-w", workers), "1 or more")


# -- what is written ------------------------------------------------------------------------------------------


def test_an_output_that_is_an_input_is_refused(tmp_path: Path, functions: Path, responses: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(responses)
    before = {path: path.read_bytes() for path in (functions, responses)}
    for output in (responses, link, functions):
        done = reexec("verify", responses, "-f", functions, "-o", output, "--overwrite")
        refused(done, str(output), "the output is the input")
    refused(reexec("audit", functions, "-o", functions, "--overwrite"), "the output is the input")
    refused(
        reexec("audit", functions, "-o", tmp_path / "a.jsonl", "--keep", functions, "--overwrite"), "the output is the input"
    )
    usage = ("--usage", tmp_path / "o.jsonl")
    refused(reexec("verify", responses, "-f", functions, "-o", tmp_path / "o.jsonl", *usage), "two outputs")
    assert {path: path.read_bytes() for path in before} == before


def test_a_file_that_no_run_made_is_not_replaced(tmp_path: Path, functions: Path, responses: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("precious\n")
    refused(reexec("verify", responses, "-f", functions, "-o", mine), str(mine), "--overwrite")
    refused(reexec("verify", responses, "-f", functions, "-o", tmp_path / "o.jsonl", "--usage", mine), str(mine))
    refused(reexec("audit", functions, "-o", tmp_path / "o.jsonl", "--keep", mine), str(mine))
    assert mine.read_text() == "precious\n"


def test_a_missing_output_folder_and_devices_are_refused(tmp_path: Path, functions: Path, responses: Path) -> None:
    nowhere = tmp_path / "nowhere" / "o.jsonl"
    refused(reexec("verify", responses, "-f", functions, "-o", nowhere), str(nowhere), "folder does not exist")
    refused(reexec("audit", functions, "-o", tmp_path / "o.jsonl", "--keep", nowhere), str(nowhere), "folder does not exist")
    refused(reexec("verify", responses, "-f", functions, "-o", "/dev/full"), "/dev/full", "not a regular file")


def test_templates_that_are_not_there_are_refused(tmp_path: Path, functions: Path, responses: Path) -> None:
    output = tmp_path / "o.jsonl"
    refused(reexec("verify", responses, "-f", functions, "-o", output, "--templates", tmp_path / "none"), "none")


def in_mount(options: str, folder: Path, arguments: list[str]) -> Done:
    """The command in a mount namespace of its own, with a small file system at `folder`."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        lacking("a file system of its own takes root and `unshare`")
    script = f'mount -t tmpfs -o {options} none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(folder), *arguments],
        capture_output=True, text=True, env=environment(), timeout=120, check=False,
    )  # fmt: skip
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        lacking(f"a mount namespace: {done.stderr.strip()}")
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_read_only_folder_is_refused(tmp_path: Path, functions: Path, responses: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    arguments = ["verify", str(responses), "-f", str(functions), "-o", str(folder / "o.jsonl")]
    if os.geteuid() == 0:
        done = in_mount("ro", folder, [COMMAND, *arguments])
        says = "read-only file system"
    else:
        folder.chmod(0o555)
        done, says = reexec(*arguments), "permission denied"
    refused(done, str(folder), "cannot be written", says)


def test_a_full_file_system_keeps_whole_rows_and_the_run_goes_on_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    rows = write_rows(tmp_path / "r.jsonl", example_responses(2))
    functions = write_rows(tmp_path / "f.jsonl", example_functions(2))
    saved = tmp_path / "saved"
    # What is left is copied out, because the file system ends with its namespace.
    script = '"$@"; code=$?; cp -r "$(dirname "$0")/small" "$(dirname "$0")/saved"; exit $code'
    output = folder / "o.jsonl"
    command = [COMMAND, "verify", str(rows), "-f", str(functions), "-o", str(output), "-w", "1"]
    done = in_mount("size=128k", folder, ["sh", "-c", script, str(folder), *command])
    refused(done, str(folder), "cannot be written (no space left on device)")
    cut = (saved / "o.jsonl").read_bytes()
    assert cut == b"" or cut.endswith(b"\n")
    kept = read_rows(saved / "o.jsonl")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    assert reexec("verify", rows, "-f", functions, "-o", output).code == 0
    assert read_rows(output)[: len(kept)] == kept
    assert len(read_rows(output)) == len(example_responses(2))


def test_a_file_size_limit_keeps_whole_rows_and_the_run_goes_on(tmp_path: Path) -> None:
    limit = 400_000
    rows = write_rows(tmp_path / "r.jsonl", example_responses(2))
    output = tmp_path / "o.jsonl"
    functions = write_rows(tmp_path / "f.jsonl", example_functions(2))
    arguments = ["verify", str(rows), "-f", str(functions), "-o", str(output), "-w", "1"]
    done = reexec_cold(*arguments, preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    refused(done, str(output), "cannot be written (file too large)", "to resume")
    assert output.stat().st_size <= limit
    for row in read_rows(output):
        assert row["verdict"] == row["expected_verdict"]
    assert manifest_of(output)["progress"]["sizes"]["output"] == output.stat().st_size
    assert reexec(*arguments).code == 0
    assert len(read_rows(output)) == len(example_responses(2))


# -- standard output ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [0, 20])
def test_a_reader_that_leaves_early_costs_no_rows(taken: int, tmp_path: Path, functions: Path, responses: Path) -> None:
    output = tmp_path / "o.jsonl"
    command = [COMMAND, "verify", str(responses), "-f", str(functions), "-o", str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if taken:
            process.stdout.read(1)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=60) == 0
    assert err == b""
    assert len(read_rows(output)) == 2


@pytest.mark.parametrize("arguments", [("policy", "list"), ("policy", "show"), ("call", "{functions}#0", "--input", "[1]")])
def test_printing_into_a_closed_pipe_is_quiet_and_into_a_full_one_is_said(arguments: tuple[str, ...], functions: Path) -> None:
    words = [word.replace("{functions}", str(functions)) for word in arguments]
    reader, writer = os.pipe()
    os.close(reader)
    done = reexec_cold(*words, stdout=writer)
    os.close(writer)
    assert (done.code, done.err) == (0, "")
    with open("/dev/full", "w") as full:
        done = reexec_cold(*words, stdout=full)
    refused(done, "no space left on device")


def test_without_any_standard_output_the_files_are_written(tmp_path: Path, functions: Path, responses: Path) -> None:
    output = tmp_path / "o.jsonl"
    words = ["verify", str(responses), "-f", str(functions), "-o", str(output), "--json"]
    done = reexec_cold(*words, prefix=("sh", "-c", '"$0" "$@" >&-'))
    assert (done.code, done.err) == (0, "")
    assert len(read_rows(output)) == 2


def test_the_command_is_the_one_of_this_python() -> None:
    assert Path(COMMAND).parent == Path(sys.executable).parent
