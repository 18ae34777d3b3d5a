"""`--json`: the last line of stdout is one object with the fields that the documentation promises."""

import json
from pathlib import Path

import pytest

from tests.support.helpers import FUNCTIONS, SMALL, Done, function_row, read_rows, reexec, response, write_rows

COMMON = {"command", "version", "isolation", "workers", "rows", "rejected", "wall_s", "rows_per_s", "engine_errors"}


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    return write_rows(
        tmp_path / "functions.jsonl",
        [
            function_row("def f(n):\n    return n + 1\n", ({"n": 1}, 2), ({"n": 2}, 4)),
            function_row("import no_such_module_xyz\ndef f(n):\n    return n\n", ({"n": 1}, 1)),
        ],
    )


def common(done: Done, command: str) -> dict[str, object]:
    summary = done.summary
    assert summary.keys() >= COMMON
    assert summary["command"] == command
    assert summary["isolation"] in ("nsjail", "nsjail+cgroup", "restricted")
    assert isinstance(summary["wall_s"], float)
    assert summary["engine_errors"] == 0
    assert "\n" not in done.out.strip()
    return summary


def test_verify_counts_verdicts_and_missing_modules(tmp_path: Path, functions: Path) -> None:
    rows = [
        response(0, 0, 2),
        response(0, 0, 3),
        response(0, 1, {"n": 3}, "i"),
        response(1, 0, {"n": 1}, "i"),
        response(9, 0, 1),
    ]
    done = reexec(
        "verify", write_rows(tmp_path / "r.jsonl", rows), "-f", functions, "-o", tmp_path / "v.jsonl", "-w", "1", "--json"
    )
    assert done.code == 1, "a row was rejected"
    summary = common(done, "verify")
    assert summary["verdicts"] == {"accepted": 2, "runtime-error": 1, "wrong-answer": 1}
    assert summary["missing_modules"] == {"no_such_module_xyz": 1}
    assert (summary["rows"], summary["rejected"], summary["workers"]) == (4, 1, 1)
    assert done.one_line().endswith("at $.itemid")


def test_verify_gives_pass_rates_where_a_prompt_has_several_samples(tmp_path: Path, functions: Path) -> None:
    rows = [response(0, 0, 2, index=0), response(0, 0, 3, index=1), response(0, 1, 4, index=0)]
    output = tmp_path / "v.jsonl"
    done = reexec("verify", write_rows(tmp_path / "r.jsonl", rows), "-f", functions, "-o", output, "--json")
    assert done.code == 0
    rates = done.summary["pass_rates"]
    assert (rates["prompts"], rates["mean_over_pairs"]) == (2, 0.75)
    side = read_rows(tmp_path / rates["file"])
    assert [row["pass_rate"] for row in side if "pair_id" in row] == [0.5, 1.0]
    assert [row["pass_rate"] for row in side if "pair_id" not in row] == [round(2 / 3, 6)]


def test_prompts_of_a_later_turn_have_pass_rates_of_their_own(tmp_path: Path, functions: Path) -> None:
    """Two revisions about one pair are two prompts, each with two samples."""
    known = {"original_id": "first", "retry_count": 1}
    rows = [{**response(0, 0, answer), "id": name, "index": index, **known}
            for name, answers in (("x", (2, -1)), ("y", (-1, -1))) for index, answer in enumerate(answers)]  # fmt: skip
    done = reexec("verify", write_rows(tmp_path / "r.jsonl", rows), "-f", functions, "-o", tmp_path / "v.jsonl", "--json")
    assert done.summary["pass_rates"]["prompts"] == 2
    rates = [(row["id"], row["samples"], row["accepted"]) for row in read_rows(tmp_path / "v.passrates.jsonl") if "id" in row]
    assert rates == [("x", 2, 1), ("y", 2, 0)]


def test_audit_counts_reasons(tmp_path: Path, functions: Path) -> None:
    done = reexec("audit", functions, "-o", tmp_path / "a.jsonl", "--json")
    assert done.code == 0, "pairs that do not reproduce are a finding, not a failure"
    summary = common(done, "audit")
    assert (summary["rows"], summary["pairs"], summary["reproducible"]) == (2, 3, 1)
    assert summary["reasons"] == {"mismatch": 1, "missing-module": 1}
    assert summary["missing_modules"] == {"no_such_module_xyz": 1}


def test_demo_tells_its_verdicts_and_the_funnel_and_leaves_the_rows(tmp_path: Path) -> None:
    done = reexec("demo", "--json", "--keep", tmp_path / "kept")
    assert done.code == 0, done.err
    summary = common(done, "demo")
    assert summary["rows"] == len(read_rows(tmp_path / "kept" / "verified.jsonl")) == sum(done.summary["verdicts"].values())
    assert "<html" in Path(done.summary["report"]).read_text()
    funnel = done.summary["funnel"]
    assert list(funnel) == [
        "raw", "unified", "functions", "pairs", "prompts", "answered", "correct_at_turn_1", "repaired_at_turn_2", "rows",
    ]  # fmt: skip
    assert funnel["raw"] > funnel["functions"] > 0
    assert funnel["prompts"] > funnel["answered"] > funnel["correct_at_turn_1"] > funnel["repaired_at_turn_2"] > 0
    rows = read_rows(Path(done.summary["final"]))
    assert len(rows) == funnel["rows"] == funnel["answered"]
    for row in rows:  # as a reader of CodeI/O's five fields takes them
        prompt, *turns = (row[name] for name in ("prompt", "turn_1", "feedback_1", "turn_2", "feedback_2"))
        assert all(isinstance(text, str) for text in (prompt, *turns[:2]))
        assert (turns[2] is None) is (turns[3] is None)
    assert sum(row["turn_2"] is not None for row in rows) == sum(row["verdicts"][0] != "accepted" for row in rows) - 1


def test_policy_show_gives_every_field_and_the_digest() -> None:
    done = reexec("policy", "show", "codeio", "--set", "limits.cpu_s=2", "--json")
    assert done.code == 0
    assert done.summary["policy"]["limits"]["cpu_s"] == 2
    assert len(done.summary["digest"]) == 32


def test_doctor_says_the_level() -> None:
    done = reexec("doctor", "--json")
    assert done.code in (0, 3)
    assert bool(done.summary["isolation"]) is (done.code == 0)


def test_call_prints_one_object_with_outcome_usage_and_level() -> None:
    done = reexec("call", f"{FUNCTIONS}#0", "--input", '{"samples": 1, "factor": 16.0, "more": 1}', *SMALL)
    assert done.code == 0
    report = json.loads(done.out)
    assert report.keys() == {"outcome", "usage", "isolation"}
    assert report["outcome"]["kind"] == "exception"
    assert report["outcome"]["exception"]["type"] == "TypeError"
    assert report["usage"].keys() == {"cpu_s", "wall_s", "peak_bytes"}
