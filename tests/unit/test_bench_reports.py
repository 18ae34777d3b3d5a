"""What a run of `reexec bench` is held against, drawn as, and refused for; the measuring itself: tests/integration."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.bench import baseline, measuring, plot
from reexec.runners.bench.ratios import BY_NAME, RATIOS, ratios_of
from reexec.runners.bench.report import Report, host_facts
from tests.support.helpers import Done, reexec


def report(**ratios: float) -> Report:
    made = Report(host_facts(), 2, "nsjail", "3.12", 1, figures={"floor": 2000.0, "call": 1500.0, "fresh": 12.5}, ratios=ratios)
    made.limits = {"sample": 10.0}
    made.start_s = {"help": 0.1, "call": 0.3, "first_verdict": 0.2}
    return made


def test_a_ratio_is_the_median_of_what_each_round_gave() -> None:
    rounds = {"floor": [100.0, 50.0, 400.0], "call": [50.0, 25.0, 100.0]}
    assert ratios_of(rounds) == {"call_vs_floor": 2.0}


def test_every_promised_ratio_is_in_the_table_once() -> None:
    promised = """call_vs_floor call_vs_floor_numpy call_vs_fresh call_vs_fresh_no_numpy batch_vs_fresh batch_vs_in_process
        mixed_vs_fresh sample_vs_limit sample_vs_fresh output_rows_vs_fresh"""
    assert BY_NAME.keys() >= set(promised.split())
    assert len(BY_NAME) == len(RATIOS)


@pytest.mark.parametrize(
    ("before", "now", "falls"),
    [
        ({"call_vs_fresh": 100}, {"call_vs_fresh": 86}, []),
        ({"call_vs_fresh": 100}, {"call_vs_fresh": 84}, ["call_vs_fresh"]),
        ({"call_vs_fresh": 100}, {"call_vs_fresh": 900}, []),
        ({"call_vs_floor": 1.3}, {"call_vs_floor": 1.5}, []),
        ({"call_vs_floor": 1.3}, {"call_vs_floor": 1.6}, ["call_vs_floor"]),
        ({"call_vs_floor": 1.3}, {"call_vs_floor": 0.2}, []),
        ({"call_vs_fresh": 100, "mixed_vs_fresh": 60}, {"mixed_vs_fresh": 30}, ["call_vs_fresh", "mixed_vs_fresh"]),
        ({"of an older version": 3}, {}, []),
        ({"in_process_vs_call": 2000}, {"in_process_vs_call": 9000}, []),
    ],
)
def test_a_fall_is_what_is_worse_by_more_than_the_tolerance(
    before: dict[str, float], now: dict[str, float], falls: list[str]
) -> None:
    assert [fall.name for fall in baseline.fallen(before, now, 0.15)] == falls


def test_a_saved_run_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.save(path, report(call_vs_fresh=80.5))
    assert baseline.load(path) == {"call_vs_fresh": 80.5}
    assert json.loads(path.read_text())["host"]["processors"] >= 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "no JSON"),
        ("[]", r"\$\.form"),
        ('{"form": "reexec-bench-1", "ratios": {"call_vs_fresh": "80"}}', r"\$\.ratios"),
        ('{"form": "reexec-bench-1", "ratios": {"call_vs_fresh": 0}}', r"\$\.ratios"),
    ],
)
def test_what_is_no_baseline_is_refused_in_one_line(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    if text is not None:
        path.write_text(text)
    done = reexec("bench", "--compare", path)
    assert done.code == 2
    assert str(path) in done.one_line()
    with pytest.raises(UsageError, match=said):
        baseline.load(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tolerance", "15"), "a share"),
        (("--rounds", "0"), "1 or more"),
        (("--plot", "x.pdf"), ".svg or .png"),
        (("--plot", "x.png"), "cairosvg"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_measured(arguments: tuple[str, ...], said: str) -> None:
    done: Done = reexec("bench", *arguments, timeout=20)
    assert done.code == 2
    assert said in done.one_line()


def test_the_picture_is_whole_and_shows_every_figure(tmp_path: Path) -> None:
    made = report()
    made.methods = {"interpreter": 12.0, "reexec": 1500.0}
    made.host["processor"] = "<&>"
    plot.draw(tmp_path / "b.svg", made)
    texts = {element.text for element in ET.parse(tmp_path / "b.svg").iter() if element.text}
    assert texts >= {"floor", "call", "fresh", "1,500", "method: reexec", "method: interpreter"}


def canned(monkeypatch: pytest.MonkeyPatch, **ratios: float) -> None:
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: report(**ratios))


def bench(*arguments: Any) -> int:
    from reexec.cli.commands import load

    code = load("bench").main(list(map(str, arguments)), prog_name="bench", standalone_mode=False)
    assert isinstance(code, int)
    return code


def test_compare_exits_with_1_and_a_table_of_what_fell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.json"
    canned(monkeypatch, call_vs_fresh=80.0, call_vs_floor=1.3)
    assert bench("--save", path, "--json") == 0
    assert bench("--compare", path) == 0
    assert "no ratio fell" in capsys.readouterr().out
    canned(monkeypatch, call_vs_fresh=60.0, call_vs_floor=1.3)
    assert bench("--compare", path, "--json") == 1
    said = capsys.readouterr()
    line = json.loads(said.out.splitlines()[-1])
    assert line["fell"] == [{"name": "call_vs_fresh", "before": 80.0, "now": 60.0, "share": 0.25}]
    assert line.keys() >= {"figures", "ratios", "limits", "host_us"}
    assert "call_vs_fresh" in said.err
    assert "25 %" in said.err
    assert bench("--compare", path, "--tolerance", "0.3") == 0
