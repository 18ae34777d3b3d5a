"""Rewards over HTTP: the real server, asked as OpenRLHF's and slime's clients ask.

Read from openrlhf/utils/agent.py (SingleTurnAgentExecutor, _fetch_rewards_via_http): the payload's three lists, divided among
the addresses, so that some get empty ones; an error status asked again, five times in all; the answer's `rewards`, and its
`scores` or else its `rewards`. And from slime/rollout/rm_hub/__init__.py (remote_rm): one sample, and a number.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from reexec.rewards import Reward, shutdown
from reexec.runners.rewards import over_http
from tests.integration.rewards.material import CALLS, DOUBLE, fenced, says_input, says_output, truth

ATTEMPTS = 5


class Client:
    """OpenRLHF's, without its pauses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    def rewards(self, queries: list[str], prompts: list[str], labels: list[Any]) -> list[Any]:
        share = (len(queries) + len(self.addresses) - 1) // len(self.addresses)
        found = []
        for number, address in enumerate(self.addresses):
            part = slice(number * share, min((number + 1) * share, len(queries)))
            found.append(self._post(address, {"query": queries[part], "prompts": prompts[part], "labels": labels[part]}))
        return found

    def reward(self, prompt: str, response: str, label: Any) -> dict[str, Any]:
        """As it is kept of one sample; `reward` is None where the reward could not be fetched."""
        try:
            told = self.rewards([prompt + response], [prompt], [label])[0]
        except RuntimeError:
            return {"reward": None, "scores": None, "extra_logs": {}}
        return {
            "reward": told.get("rewards"),
            "scores": told.get("scores") or told.get("rewards"),
            "extra_logs": told.get("extra_logs") or {},
        }

    def _post(self, address: str, payload: dict[str, Any]) -> Any:
        for _ in range(ATTEMPTS):
            self.asked += 1
            answer = httpx.post(address, json=payload, timeout=180)
            if answer.status_code < 400:
                assert answer.headers["content-type"] == "application/json"  # else its client refuses to read it
                return answer.json()
        raise RuntimeError("asked too often")


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    log = folder / "server.log"
    with open(log, "w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "reexec.rewards.over_http", "--port", "0", "--workers", "2", *arguments],
            stdout=subprocess.PIPE, stderr=err, text=True, env=dict(os.environ), cwd=folder,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, log.read_text()
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("serving")) as found:
        yield found


def test_a_sample_at_a_time_as_the_trainer_asks(address: str) -> None:
    client = Client(address)
    prompt = f"<|im_start|>user\nFor example: {says_output(10)}<|im_end|>\n<|im_start|>assistant\n"
    right = client.reward(prompt, f"{says_input({'n': 5})}<|im_end|>", truth("i"))
    assert right == {"reward": [1.0], "scores": [1.0], "extra_logs": {"accepted": [1.0]}}
    assert client.reward(prompt, "I do not know.<|im_end|>", truth("o"))["reward"] == [0.0]
    assert client.reward(prompt, fenced(DOUBLE), json.dumps(CALLS))["reward"] == [1.0]
    assert client.asked == 3


def test_batches_are_divided_among_addresses_and_some_get_nothing(address: str) -> None:
    client = Client(address, f"{address}/second", address.rpartition("/")[0])
    queries = [f"P{says_output(10)}", f"P{says_output(11)}"]
    found = client.rewards(queries, ["P", "P"], [truth("o")] * 2)
    assert [each["rewards"] for each in found] == [[1.0], [0.0], []]


def test_what_cannot_be_judged_is_an_error_and_never_a_zero(address: str) -> None:
    client = Client(address)
    assert client.reward("P", says_output(10), "no truth")["reward"] is None
    assert client.asked == ATTEMPTS
    cases: list[tuple[Any, str]] = [
        ({"query": ["x"], "prompts": ["x"]}, "$.labels"),
        ({"query": ["x"], "prompts": [], "labels": []}, "$.prompts"),
        ({"query": [1], "prompts": ["x"], "labels": ["y"]}, "$.query"),
        ([1], "at $"),
        ({"query": ["other"], "prompts": ["prompt"], "labels": [truth("o")]}, "does not begin with its prompt"),
    ]
    for body, said in cases:
        answer = httpx.post(address, json=body, timeout=60)
        assert (answer.status_code, said in answer.json()["error"]["message"]) == (422, True), answer.text
    answer = httpx.post(address, content=b"{", timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad-request")
    assert httpx.get(address, timeout=60).status_code == 200


def test_slimes_remote_rm_sends_a_sample_and_takes_a_number(address: str) -> None:
    def remote_rm(response: str, label: Any) -> Any:
        prompt = [{"role": "user", "content": "?"}]  # as the data set has it, a text or messages
        answer = httpx.post(address, json={"prompt": prompt, "response": response, "label": label}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    assert remote_rm(f"{says_input({'n': 5})}<|im_end|>", truth("i")) == 1.0
    assert remote_rm("?", truth("o")) == 0.0
    for response, label in (("x", None), ("x", "no truth"), (7, truth("o"))):
        with pytest.raises(httpx.HTTPStatusError, match="422"):
            remote_rm(response, label)  # type: ignore[arg-type]


def test_a_timeout_is_heard_before_the_clients_own(tmp_path: Path) -> None:
    assert over_http.TIMEOUT_S < 180
    nap = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)
    with serving(tmp_path, "--timeout", "2", "--compare", "apps") as found:
        answer = httpx.post(found, json={"query": [says_input({"s": 60})], "prompts": [""], "labels": [nap]}, timeout=120)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine-error")
        assert "timeout" in answer.json()["error"]["message"]
        any_element = json.dumps({"inputs": [[3]], "outputs": [[6, 7]], "fn_name": "double"})
        assert Client(found).reward("", fenced(DOUBLE), any_element)["reward"] == [1.0]


def test_an_engine_that_fails_is_no_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown()
    monkeypatch.setattr("reexec.engine.jail.levels.candidates", lambda policy, only=None: [])
    body = json.dumps({"query": [says_input({"n": 5})], "prompts": [""], "labels": [truth("i")]}).encode()
    status, found = asyncio.run(over_http.answer_to(Reward(workers=1), body))
    assert (status, found["error"]["code"]) == (503, "engine-error")
    shutdown()


def test_wrong_settings_end_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert over_http.main(["--timeout", "0"]) == 2
    assert "timeout is 0.0" in capsys.readouterr().err
