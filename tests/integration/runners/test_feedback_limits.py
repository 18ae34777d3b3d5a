"""Feedback on a limit quotes the limit that ended the check, exactly."""

from pathlib import Path

import pytest

from reexec.engine.judging.verdict import Verdict
from reexec.engine.outcome import Outcome
from reexec.runners.stages.verify.feedback import FEEDBACK_FILE, feedback_text
from tests.support.helpers import function_row, read_rows, reexec, response, write_rows

TEXTS = FEEDBACK_FILE.load()


@pytest.mark.parametrize(
    ("limit", "quoted"), [(0.5, "0.5 seconds"), (2.25, "2.25 seconds"), (5.0, "5 seconds"), (1.0, "1 second and")]
)
def test_a_limit_is_quoted_with_its_fractions(limit: float, quoted: str) -> None:
    verdict = Verdict("cpu-limit", Outcome("cpu-limit"))
    said = feedback_text(TEXTS, verdict, "i", predicted={"n": 1}, expected=1, limit=limit)
    assert quoted in said


def test_a_sleeper_is_told_the_limit_on_sleep_and_a_loop_that_on_processor_time(tmp_path: Path) -> None:
    sources = ["import time\ndef f(n):\n    time.sleep(60)\n", "def f(n):\n    while True:\n        pass\n"]
    functions = write_rows(tmp_path / "f.jsonl", [function_row(source, ({"n": 1}, 1)) for source in sources])
    rows = [response(number, 0, {"n": 2}, "i") for number in range(2)]
    source, output = write_rows(tmp_path / "r.jsonl", rows), tmp_path / "v.jsonl"
    settings = ("--set", "limits.cpu_s=0.75", "--set", "limits.idle_s=0.25")
    reexec("verify", source, "--functions", functions, "-o", output, *settings)
    slept, looped = read_rows(output)
    assert (slept["verdict"], looped["verdict"]) == ("wall-limit", "cpu-limit")
    assert "0.25" in slept["res"]["message"]
    assert "0.75" in looped["res"]["message"]
