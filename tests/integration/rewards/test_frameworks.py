"""Each framework's own way of calling, on the rows of `reexec export --to rl` as they are."""

import asyncio
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reexec import EngineError, UsageError
from reexec.engine.jail import levels
from reexec.rewards import Reward, openrlhf, shutdown, slime, trl, verifiers
from reexec.rewards import verl as verl_rewards
from reexec.runners.rewards import openrlhf as openrlhf_module
from reexec.runners.rewards import trl as trl_module
from tests.integration.rewards.callers import (
    OpenRlhf,
    Slime,
    SlimeSample,
    TaskData,
    Trl,
    Verifiers,
    Verl,
    location,
)
from tests.integration.rewards.material import CALLS, DOUBLE, fenced, says_input, says_output, truth
from tests.support.helpers import EXAMPLES, FUNCTIONS, reexec_cold

Row = dict[str, Any]
READ = """
import json, sys
from pyarrow.parquet import ParquetFile
print(json.dumps(ParquetFile(sys.argv[1], pre_buffer=False).read(use_threads=False).to_pylist()))
"""
"""In a process of its own: pyarrow needs more addresses than it gives back."""
VERL = "pkg://reexec.rewards.verl"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("rl") / "out"
    command = ["export", str(EXAMPLES / "final.jsonl"), "-o", str(folder), "--to", "rl", "--functions", str(FUNCTIONS)]
    exported = reexec_cold(*command, env={"ARROW_DEFAULT_MEMORY_POOL": "system"})  # its own pool reserves addresses
    assert exported.code == 0, exported.err
    command = [sys.executable, "-c", READ, str(folder / "train.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: list[Row] = json.loads(done.stdout)
    assert {row["io_pred"] for row in found} == {"i", "o"}
    return found


def right_answers(rows: list[Row]) -> list[str]:
    """The recorded side of each row's pair, as a model would say it."""
    found = []
    for row in rows:
        pair = json.loads(row["ground_truth"])
        found.append(says_input(pair["input"]) if row["io_pred"] == "i" else says_output(pair["output"]))
    return found


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host that offers no isolation level: no worker can be started."""
    shutdown()
    monkeypatch.setattr(levels, "candidates", lambda policy, only=None: [])
    yield
    shutdown()


INPUT = truth("i")
LATE = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)


# -- TRL --------------------------------------------------------------------------------------------------------


def test_trl_rows_as_exported(rows: list[Row]) -> None:
    trainer = Trl()
    chats = [[{"role": "assistant", "content": text}] for text in right_answers(rows)]
    assert trainer.rewards(trl.reward, rows, chats) == [1.0] * len(rows)
    assert trainer.rewards(trl.reward_async, rows, right_answers(rows)) == [1.0] * len(rows)
    assert trainer.rewards(trl.reward, rows, ["?"] * len(rows)) == [0.0] * len(rows)
    assert trainer.extra["verdict"][0] == "accepted"
    assert trainer.metrics["reexec/without_reward"] == [0.0] * 3


def test_trl_gets_names_that_it_can_show_and_values_that_it_can_pickle() -> None:
    functions: list[Any] = [trl.reward, trl.reward_async, trl.with_settings(workers=2, timeout=9)]
    for function in functions:
        assert Trl.unwrapped(function).__name__.startswith("reexec_reward")
        assert function.__name__.startswith("reexec_reward")
        assert pickle.loads(pickle.dumps(function)).args == function.args
    assert not Trl().is_async(trl.reward)
    assert Trl().is_async(trl.reward_async)


def test_trl_hears_none_for_what_is_not_known_and_not_applicable(no_engine: Any) -> None:
    rows = [{"prompt": "p", "ground_truth": text} for text in (INPUT, truth("o"), None)]
    found = Trl().rewards(trl.reward, rows, [says_input({"n": 5}), says_output(10), "x"])
    assert math.isnan(found[0])
    assert found[1] == 1.0
    assert math.isnan(found[2])


def test_trl_before_1_6_hears_an_exception_since_it_would_add_up_none_as_0(
    no_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trl_module, "_takes_none", lambda: False)
    rows = [{"prompt": "p", "ground_truth": text} for text in (INPUT, truth("o"))]
    with pytest.raises(EngineError, match="no reward"):
        Trl().rewards(trl.reward, rows, [says_input({"n": 5}), says_output(10)])
    assert math.isnan(Trl().rewards(trl.reward, [rows[1], {**rows[1], "ground_truth": None}], [says_output(10), "x"])[1])


def test_trl_data_without_truths_are_the_users_mistake() -> None:
    with pytest.raises(UsageError, match=r"no row of the batch can be judged by.*completion_length"):
        Trl().rewards(trl.reward, [{"prompt": "p", "completion_length": 3}], ["x"])


def test_trl_columns_of_a_benchmark_are_a_problem() -> None:
    row = {"prompt": [{"role": "user", "content": "Write double."}], "test_list": ["assert double(2) == 4"], "task_id": 3}
    assert Trl().rewards(trl.reward, [row, row], [fenced(DOUBLE), fenced("double = abs\n")]) == [1.0, 0.0]


def test_trl_columns_of_all_kinds_in_one_batch() -> None:
    """As `datasets` hands them over: None where a row has nothing, and lists of objects are columns."""
    absent = dict.fromkeys(("test_list", "input_output", "tests", "info", "answer", "ground_truth", "label", "reward_model"))
    plain = {"prompt": "p", "difficulty": 3, "tags": ["a", "b"], "score": 0.5, "solution": "x", "images": None, **absent}
    tests = {"input": ["1 2\n"], "output": ["3\n"], "testtype": [None]}
    double, adds = fenced(DOUBLE), fenced("print(sum(map(int, input().split())))\n")
    cases: list[tuple[Row, str, float | None]] = [
        ({"test_list": ["assert double(2) == 4"]}, double, 1.0),
        ({"input_output": {"inputs": [[3]], "outputs": [6], "fn_name": "double"}}, double, 1.0),
        ({"input_output": json.dumps(CALLS)}, fenced("double = abs\n"), 0.0),
        ({"tests": tests}, adds, 1.0),
        ({"tests": [{"input": "1 2\n", "output": "4\n", "testtype": None}]}, adds, 0.0),
        ({"info": {"ground_truth": truth("o")}}, says_output(10), 1.0),
        ({"answer": truth("o")}, says_output(11), 0.0),
        ({"label": json.loads(truth("i"))}, says_input({"n": 5}), 1.0),
        ({"reward_model": {"style": "rule", "ground_truth": truth("o")}}, says_output(10), 1.0),
        ({"answer": "42"}, "42", None),
        ({"solution": "The answer is 42."}, "42", None),
    ]
    rows = [{**plain, **row} for row, *_ in cases]
    for completions in ([text for _, text, _ in cases], [[{"role": "assistant", "content": text}] for _, text, _ in cases]):
        found = Trl().rewards(trl.with_settings(workers=2), rows, completions)
        assert [None if math.isnan(each) else each for each in found] == [wanted for *_, wanted in cases]


# -- verl -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["compute_score", "compute_score_async"])
def test_verl_rows_as_exported(rows: list[Row], name: str) -> None:
    found = Verl(VERL, name).run_many(rows, right_answers(rows))
    assert [each["reward_score"] for each in found] == [1.0] * len(rows)
    assert found[0]["reward_extra_info"] == {"score": 1.0, "acc": 1.0, "verdict": "accepted"}
    assert [each["reward_score"] for each in Verl(VERL, name).run_many(rows, ["?"] * len(rows))] == [0.0] * len(rows)


def test_verls_batch_manager_gets_a_column(rows: list[Row]) -> None:
    assert Verl(VERL, "compute_scores").run_batch(rows, right_answers(rows)) == [1.0] * len(rows)


def test_verls_reward_kwargs_are_settings_and_what_else_it_gives_is_let_go() -> None:
    row = {"data_source": "x", "reward_model": {"ground_truth": CALLS}, "extra_info": {}}
    half = fenced("def double(n):\n    return 0\n")
    caller = Verl(VERL, "compute_score", grade="fraction", workers=2, settings=["limits.cpu_s=2"], reward_router_address="x")
    assert caller.run_many([row], [half])[0]["reward_score"] == 0.5
    with pytest.raises(UsageError, match="grade"):
        Verl(VERL, "compute_score", grade="x").run_many([row], [half])


def test_verl_hears_an_exception_that_no_manager_takes_for_a_zero(no_engine: Any) -> None:
    row = {"data_source": "x", "reward_model": {"ground_truth": INPUT}, "extra_info": {}}
    for name in ("compute_score", "compute_score_async"):
        with pytest.raises(EngineError, match="no reward, the engine failed"):
            Verl(VERL, name).run_many([row], [says_input({"n": 5})])
    with pytest.raises(EngineError, match="no reward, the engine failed"):
        Verl(VERL, "compute_scores").run_batch([row], [says_input({"n": 5})])
    with pytest.raises(EngineError, match="no reward, the engine failed"):
        Verl(VERL, "compute_score").run_old_naive(row, says_input({"n": 5}))


def test_verl_a_timeout_is_no_zero_of_the_models() -> None:
    row = {"data_source": "x", "reward_model": {"ground_truth": LATE}, "extra_info": {}}
    caller = Verl(VERL, "compute_score", timeout=1.5, workers=2)
    assert Verl(VERL, "compute_score", workers=2).run_old_naive(row, says_input({"s": 0})) == 1.0
    with pytest.raises(EngineError, match="timeout"):
        caller.run_old_naive(row, says_input({"s": 4}))


def test_verl_rows_without_truth_are_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="ground truth"):
        verl_rewards.compute_score("x", "y", "42")


# -- OpenRLHF ---------------------------------------------------------------------------------------------------


def test_openrlhf_rows_as_exported(rows: list[Row]) -> None:
    caller = OpenRlhf(location("reexec.rewards.openrlhf"))
    for row, text in zip(rows, right_answers(rows), strict=True):
        prompt = "<|im_start|>user\n" + row["prompt"][-1]["content"] + "<|im_end|>\n<|im_start|>assistant\n"
        found = caller.reward(prompt, f"{text}<|im_end|>", row["ground_truth"])
        assert (found["reward"], found["scores"], found["extra_logs"]) == ([1.0], [1.0], {"accepted": [1.0]})


def test_openrlhf_an_answer_in_the_prompt_is_not_the_models() -> None:
    caller = OpenRlhf(location("reexec.rewards.openrlhf"))
    prompt = f"For example: {says_output(10)}\nNow you.\n"
    assert caller.reward(prompt, "I do not know.</s>", truth("o"))["reward"] == [0.0]
    assert caller.reward(prompt, f"{says_output(10)}</s>", truth("o"))["reward"] == [1.0]


@pytest.mark.parametrize(
    ("query", "prompt", "response"),
    [
        ("<s>Q: 1\nA: x</s>", "Q: 1\nA: ", "x"),
        ("long prompt here A: x<|endoftext|>\n", "a very long prompt here A: "[-20:], "x"),
        ("t" * 300 + "x<|eot_id|>", "cut" + "t" * 300, "x"),
        ("x", "", "x"),
        ("P```python\nx\n```<|im_end|>", "P", "```python\nx\n```"),
    ],
)
def test_openrlhf_the_response_is_what_follows_the_prompt(query: str, prompt: str, response: str) -> None:
    assert openrlhf_module.response_of(query, prompt) == response


def test_openrlhf_a_query_without_its_prompt_is_no_response() -> None:
    with pytest.raises(UsageError, match="does not begin with its prompt"):
        openrlhf_module.response_of("something else", "the prompt")


def test_openrlhf_gets_tensors_where_there_is_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(tensor=lambda numbers, dtype: ("tensor", numbers, dtype), float32="float32")
    monkeypatch.setitem(sys.modules, "torch", made)
    found = openrlhf.reward_func([f"P{says_output(10)}"] * 2, ["P"] * 2, [truth("o")] * 2)
    assert found["rewards"] == ("tensor", [1.0, 1.0], "float32")


def test_openrlhf_hears_an_exception(no_engine: Any) -> None:
    with pytest.raises(EngineError, match="no reward, the engine failed"):
        openrlhf.reward_func([f"P{says_input({'n': 5})}"], ["P"], [INPUT])
    found = OpenRlhf(location("reexec.rewards.openrlhf")).reward("P", says_input({"n": 5}), INPUT)
    assert found["reward"] is None


# -- slime ------------------------------------------------------------------------------------------------------


def test_slime_rows_as_exported(rows: list[Row]) -> None:
    caller = Slime("reexec.rewards.slime.reward")
    samples = [SlimeSample(text, row["ground_truth"]) for row, text in zip(rows, right_answers(rows), strict=True)]
    assert caller.group(samples) == [1.0] * len(rows)
    assert [caller.one(sample) for sample in samples[:3]] == [1.0] * 3
    assert caller.one(SlimeSample("?", rows[0]["ground_truth"])) == 0.0
    assert caller.one(SlimeSample(fenced(DOUBLE), None, {"rm_type": "x", **CALLS})) == 1.0
    assert caller.group([]) == []


def test_slime_hears_an_exception(no_engine: Any) -> None:
    with pytest.raises(EngineError, match="no reward, the engine failed"):
        Slime("reexec.rewards.slime.reward").group([SlimeSample(says_input({"n": 5}), INPUT)])
    with pytest.raises(UsageError, match="there is nothing to judge by"):
        Slime("reexec.rewards.slime.reward").one(SlimeSample("x", None))


# -- verifiers --------------------------------------------------------------------------------------------------


def test_verifiers_by_config_alone(rows: list[Row]) -> None:
    caller = Verifiers("reexec.rewards.verifiers:reward")
    truths = [row["ground_truth"] for row in rows]
    assert caller.score(truths, right_answers(rows)) == [(1.0, "")] * len(rows)
    assert Verifiers("reexec.rewards.verifiers.reward").score(truths[:1], ["?"]) == [(0.0, "")]


def test_verifiers_keeps_the_error_and_no_reward(no_engine: Any) -> None:
    (reward, error), (other, _) = Verifiers("reexec.rewards.verifiers:reward").score(
        [INPUT, truth("o")], [says_input({"n": 5}), says_output(10)]
    )
    assert reward is None
    assert "EngineError: no reward" in error
    assert other == 1.0


# -- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [trl, openrlhf, slime, verifiers], ids=lambda module: module.__name__)
def test_settings_are_given_by_one_name(module: Any) -> None:
    function = module.with_settings(workers=2, timeout=30, grade="fraction")
    assert function.args == (Reward(workers=2, timeout=30, grade="fraction"),)
    with pytest.raises(TypeError, match="no_such"):
        module.with_settings(no_such=1)


def test_no_adapter_imports_its_framework() -> None:
    for module in Path(location("reexec.runners.rewards")).parent.glob("*.py"):
        text = module.read_text()
        for framework in ("trl", "verl", "openrlhf", "slime", "verifiers"):
            assert f"\nimport {framework}" not in text
            assert f"\nfrom {framework}" not in text


BY_ANY_ELEMENT = {"inputs": [[3]], "outputs": [[6, 7]], "fn_name": "double"}
WORDS_IN_ANY_ORDER = {"inputs": [""], "outputs": ["1 2\n"]}
BY_APPS_RULES = [(json.dumps(BY_ANY_ELEMENT), fenced(DOUBLE)), (json.dumps(WORDS_IN_ANY_ORDER), fenced("print(2, 1)\n"))]


def by_trl(rows: list[tuple[str, str]], **settings: Any) -> list[float]:
    data = [{"prompt": "p", "ground_truth": truth} for truth, _ in rows]
    return Trl().rewards(trl.with_settings(**settings), data, [text for _, text in rows])


def by_verl(rows: list[tuple[str, str]], **settings: Any) -> list[float]:
    data = [{"data_source": "x", "reward_model": {"ground_truth": truth}, "extra_info": {}} for truth, _ in rows]
    found = Verl(VERL, "compute_score", **settings).run_many(data, [text for _, text in rows])
    return [each["reward_score"] for each in found]


def by_openrlhf(rows: list[tuple[str, str]], **settings: Any) -> list[float]:
    function = openrlhf.with_settings(**settings)
    found = function([text for _, text in rows], [""] * len(rows), [truth for truth, _ in rows])
    return [float(each) for each in found["rewards"]]


def by_slime(rows: list[tuple[str, str]], **settings: Any) -> list[float]:
    samples = [SlimeSample(text, truth) for truth, text in rows]
    found: list[float] = asyncio.run(slime.with_settings(**settings)(None, samples))
    return found


def by_verifiers(rows: list[tuple[str, str]], **settings: Any) -> list[float]:
    function = verifiers.with_settings(**settings)

    async def all_of_them() -> list[float]:
        return [await function(TaskData(truth), SimpleNamespace(last_reply=text)) for truth, text in rows]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("rewards", [by_trl, by_verl, by_openrlhf, by_slime, by_verifiers], ids=lambda each: each.__name__)
def test_the_official_checkers_decide_where_they_are_asked_to(rewards: Any) -> None:
    assert rewards(BY_APPS_RULES, workers=2) == [0.0, 0.0]
    assert rewards(BY_APPS_RULES, workers=2, compare="apps") == [1.0, 1.0]
    assert rewards(BY_APPS_RULES, workers=2, compare="livecodebench") == [0.0, 0.0]
