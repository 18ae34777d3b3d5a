"""When a run ends before its rows do: refused keys, dead servers, spent budgets, Ctrl-C."""

import os
import resource
import signal
from pathlib import Path

import pytest

from tests.support.helpers import read_rows, reexec, reexec_cold, wait_until
from tests.support.infer import arguments, assert_key_nowhere, infer, log_of, logged, start_infer, write_prompts
from tests.support.server import KEY, Server


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("401", "answered 401, the key was refused"),
        ("402", "answered 402, the account has no credit"),
        ("403", "answered 403, access was refused"),
        ("404", "answered 404, not found"),
        ("quota", "answered 429, the quota is used up"),
        ("429:7200", "asks to wait 7,200 s"),
    ],
)
def test_what_no_request_can_pass_stops_at_once_with_one_line(word: str, said: str, tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(200)])
    with Server(lambda prompt, before: word, delay_s=0.01) as server:
        done = infer(messages, tmp_path / "out.jsonl", server)
        assert done.code == 2
        assert said in done.one_line()
        assert sum(server.seen.asked.values()) <= 16
    assert not (tmp_path / "out.jsonl").exists()


def test_a_wrong_key_stops_at_once_and_is_not_shown(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(50)])
    with Server() as server:
        done = infer(messages, tmp_path / "out.jsonl", server, key="sk-not-the-right-one")
        assert done.code == 2
        assert "the key was refused" in done.one_line()
        assert "not-the-right" not in done.err
        assert not server.seen.asked
        assert server.seen.refused <= 16
        assert infer(messages, tmp_path / "out.jsonl", server).code == 0


def test_the_key_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    url = f"http://user:{KEY}@127.0.0.1:9/v1"
    done = reexec("infer", messages, "-o", tmp_path / "out.jsonl", "--model", "m", "--base-url", url)
    assert done.code == 2
    assert KEY not in done.one_line()
    assert_key_nowhere(tmp_path)


def test_a_server_that_is_down_ends_the_run_instead_of_failing_every_row(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(500)])
    with Server(lambda prompt, before: "500") as server:
        done = infer(messages, tmp_path / "out.jsonl", server, "--tries", "1")
        assert done.code == 2
        assert "20 requests in a row failed, the last of them: server-error, HTTP 500" in done.one_line()
        assert sum(server.seen.asked.values()) < 60


def test_max_cost_is_not_passed_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(60)])
    output = tmp_path / "out.jsonl"
    prices = ("--price-in", "0", "--price-out", "1000", "--max-tokens", "20")  # 0.005 a reply, 0.02 at worst
    with Server() as server:
        done = infer(messages, output, server, *prices, "--max-cost", "0.1")
        assert done.code == 1
        assert "stopped at --max-cost" in done.err
        assert done.summary["stopped"] == "max-cost"
        assert 0.08 <= done.summary["cost"] <= 0.1
        assert done.summary["cost_projected"] == pytest.approx(60 * 0.005)
        answered = done.summary["rows"]
        assert answered == sum(server.seen.asked.values())
        assert done.summary["rows"] + done.summary["rejected"] == 60
        assert done.summary["reasons"] == {"not-asked": 60 - answered}
        more = infer(messages, output, server, *prices, "--max-cost", "5")
        assert more.code == 0
        assert more.summary["cost"] == pytest.approx(60 * 0.005)
        assert sum(server.seen.asked.values()) == 60
    assert len(read_rows(output)) == 60


def test_a_full_disk_ends_the_run_with_one_line_and_the_log_whole(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(100)])
    output = tmp_path / "out.jsonl"

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    with Server() as server:
        done = reexec_cold(*arguments(messages, output, server), env={"OPENAI_API_KEY": KEY}, preexec=small_files)
        assert done.code == 2
        assert "log.jsonl: cannot be written (file too large)" in done.one_line()
        before = dict(server.seen.asked)
        sealed = [entry["id"][3:] for entry in logged(output)]
        assert sealed
        assert infer(messages, output, server).code == 0
        assert all(server.seen.asked[f"p{n}"] == before[f"p{n}"] for n in sealed)


def test_max_cost_needs_prices(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server() as server:
        assert "--price-in" in infer(messages, tmp_path / "out.jsonl", server, "--max-cost", "1").one_line()


def test_a_file_of_the_user_can_hold_endpoints_and_prices(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server() as server:
        own = f'[[endpoint]]\nname = "mine"\nbase_url = "{server.url}"\nkey_env = "MINE"\nmodels = ["my-*"]\n'
        (tmp_path / "own.toml").write_text(own + '[price."my-model"]\nprice_in = 0\nprice_out = 1000\n')
        command: list[str | Path] = [
            "infer",
            messages,
            "-o",
            tmp_path / "out.jsonl",
            "--known",
            tmp_path / "own.toml",
            "--json",
            "--model",
        ]
        done = reexec(*command, "my-model", env={"MINE": KEY})
        assert done.code == 0, done.err
        assert done.summary["cost"] == pytest.approx(0.005)
        unknown = reexec(*command, "your-model", "--overwrite", env={"MINE": KEY})
        assert "not a known model; say where it is served with --base-url" in unknown.one_line()
        (tmp_path / "own.toml").write_text('[price."m"]\nprice_in = -1\nprice_out = 0\n')
        assert "at $.price.m.price_in" in reexec(*command, "m").one_line()


def test_ctrl_c_ends_with_130_and_every_answer_is_logged(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(300)])
    output = tmp_path / "out.jsonl"
    with Server(delay_s=0.1) as server:
        process = start_infer(messages, output, server)
        wait_until(lambda: len(logged(output)) > 50, 60)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert len(err.splitlines()) == 1
        sealed = {entry["id"]: 1 for entry in logged(output)}
        assert infer(messages, output, server).code == 0
        assert all(server.seen.asked[f"p{row_id[3:]}"] == 1 for row_id in sealed)
    assert len(read_rows(output)) == 300


def test_two_runs_do_not_write_one_log(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(100)])
    output = tmp_path / "out.jsonl"
    with Server(lambda prompt, before: "ok" if prompt == "p0" else "stall") as server:
        process = start_infer(messages, output, server)
        wait_until(lambda: logged(output), 60)
        assert "another run is writing to it" in infer(messages, output, server).one_line()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_the_log_is_not_the_input_and_no_other_file_is_taken_for_it(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    log_of(tmp_path / "out.jsonl").write_text("dear diary\n")
    with Server() as server:
        done = infer(messages, tmp_path / "out.jsonl", server)
        assert done.code == 2
        assert "is not a log" in done.one_line()
        (tmp_path / "messages.log.jsonl").write_bytes(messages.read_bytes())
        done = infer(tmp_path / "messages.log.jsonl", tmp_path / "messages.jsonl", server, "--overwrite")
        assert "is the input" in done.one_line()
    assert log_of(tmp_path / "out.jsonl").read_text() == "dear diary\n"
