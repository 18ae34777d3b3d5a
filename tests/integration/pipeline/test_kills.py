"""A pipeline killed by SIGKILL at random byte counts of every stage's output, and started again, ends with the same files, byte
for byte, as one that was left in peace, and leaves no process behind."""

import random
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.helpers import kill_and_look, read_rows, reexec, start, wait_until, write_rows
from tests.support.pipeline import REPLAYED, content, functions, record_answers, states, write_config
from tests.support.sample import subset

GONE_S = 60  # on a machine that is busy with other things
FEW = ["05-responses-1.jsonl", "03-functions.jsonl", "06-verified-1.jsonl", "final.jsonl"]


@dataclass(frozen=True)
class Kill:
    file: str
    bytes: int


def kills(peace: Path, files: list[str], count: int, seed: int) -> list[Kill]:
    """Random byte counts of the files, in turn, in the order in which a run comes to them."""
    source = random.Random(seed)
    order = [path.name for path in sorted(peace.glob("*.jsonl"))]
    chosen = [Kill(name, source.randint(1, (peace / name).stat().st_size)) for name in (files * count)[:count]]
    return sorted(chosen, key=lambda kill: (order.index(kill.file), kill.bytes))


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def kill_at(process: subprocess.Popen[str], run: Path, kill: Kill) -> bool:
    """Whether the run was still under way. Where an earlier kill came later than its byte count, and the file is that long
    already, the run is killed when it begins to write."""
    path = run / kill.file
    if size_of(path) >= kill.bytes:
        before = (run / "pipeline.json").stat().st_mtime_ns
        wait_until(lambda: process.poll() is not None or (run / "pipeline.json").stat().st_mtime_ns != before, 120, "it writes")
    else:
        wait_until(lambda: process.poll() is not None or size_of(path) >= kill.bytes, 600, f"{kill}")
    alive = process.poll() is None
    kill_and_look(process, GONE_S)
    return alive


def killed_and_left_in_peace(config: Path, files: list[str] | None, count: int, seed: int) -> None:
    """Both runs are in the same folder, one after the other, because rejects name the files that they come from."""
    folder = config.parent
    run, peace = folder / "run", folder / "peace"
    first = reexec("pipeline", config, "--json", timeout=1800)
    assert first.code in (0, 1), first.err
    run.rename(peace)
    stages = [path.name for path in sorted(peace.glob("*.jsonl")) if "." not in path.stem and path.stat().st_size]
    under_way = 0
    for kill in kills(peace, files or stages, count, seed):
        under_way += kill_at(start("pipeline", str(config)), run, kill)
    last = reexec("pipeline", config, "--json", timeout=1800)
    assert last.code == first.code, last.err
    assert last.summary["funnel"] == first.summary["funnel"]
    assert under_way >= count * 3 // 4
    killed, peaceful = content(run), content(peace)
    assert killed.keys() == peaceful.keys()
    assert [name for name in killed if killed[name] != peaceful[name]] == []


def test_a_killed_pipeline_ends_with_the_files_of_one_left_in_peace(tmp_path: Path) -> None:
    config = tmp_path / "pipeline.toml"
    assert reexec("pipeline", "--init", config).code == 0
    config.write_text(config.read_text().replace("calls = 1000", "calls = 200").replace("# limit = 1000", "limit = 6"))
    killed_and_left_in_peace(config, FEW, 4, seed=1)


@pytest.mark.slow
def test_twenty_kills_on_the_sample_of_the_original(tmp_path: Path) -> None:
    sample = subset(tmp_path, None)
    answers = record_answers(sample, tmp_path / "answers.jsonl", pairs=10, right=0.5, junk=0.1)
    assert len(read_rows(answers)) > 8_000
    config = write_config(
        tmp_path,
        f'functions = "{sample.name}"',
        tables=['[infer]\nreplay = "answers.jsonl"', "[prompts]\npairs = 10"],
        cpu_s=5,  # some rows take a second: under a limit of 1 s it is chance which ones
    )
    killed_and_left_in_peace(config, None, 20, seed=2)


def test_an_interrupted_pipeline_says_so_and_goes_on(tmp_path: Path) -> None:
    rows = functions(30)
    for row in rows:  # else a quick machine is through with verify before it is interrupted
        row["refcode"] = "import time\n" + row["refcode"].replace("    return", "    time.sleep(0.03)\n    return")
    record_answers(write_rows(tmp_path / "functions.jsonl", rows), tmp_path / "answers.jsonl")
    config = write_config(tmp_path, 'functions = "functions.jsonl"', "audit = false", tables=[REPLAYED])
    record = tmp_path / "run" / "pipeline.json"
    process = start("pipeline", str(config), "-w", "1")
    wait_until(lambda: record.exists() and '"verify-1"' in record.read_text(), 60, "verify begins")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said == "reexec: interrupted; what is written is whole, run the same command again to resume\n"
    done = reexec("pipeline", config, "--json")
    assert done.code in (0, 1), done.err
    assert done.summary["funnel"]["rows"] == done.summary["funnel"]["answered"] > 0
    told = states(done.summary)
    assert (told["prompts"], told["infer-1"], told["verify-1"]) == ("current", "current", "done")
