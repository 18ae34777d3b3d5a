"""How each framework calls a reward and what it does with the answer: facts read from the releases named here, as small
callers of our own. The frameworks need torch, or more of the network than a test has; `evaluate` is called itself.

    TRL 1.16.0          trl/trainer/grpo_trainer.py, _calculate_rewards; trainer/utils.py, get_callable_name, is_async_callable
    verl 0.9.1          verl/experimental/reward_loop/reward_manager/naive.py; workers/reward_manager/batch.py, naive.py;
                        trainer/ppo/reward.py, get_custom_reward_fn
    OpenRLHF 0.11.2     openrlhf/utils/agent.py, SingleTurnAgentExecutor
    verifiers 0.4.0     verifiers/v1/task.py, Task.score; utils/loaders.py; utils/decorators.py, invoke; trace.py, last_reply
    slime               slime/rollout/rm_hub/__init__.py of THUDM/slime, async_rm and batched_async_rm (not on PyPI)
"""

import asyncio
import functools
import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Row = dict[str, Any]


class Trl:
    """Rewards of one batch. The columns of the rows become keyword arguments; None becomes NaN; a coroutine function is told
    from a plain one through partials; the number of rewards is checked."""

    def __init__(self) -> None:
        self.extra: dict[str, list[Any]] = {}
        self.metrics: dict[str, list[float]] = {}

    def rewards(self, function: Any, rows: Sequence[Row], completions: Sequence[Any]) -> list[float]:
        columns: Row = {name: [row[name] for row in rows] for name in rows[0] if name not in ("prompt", "completion")}
        columns |= {"trainer_state": SimpleNamespace(global_step=3), "log_extra": self._extra, "log_metric": self._metric}
        arguments = {"prompts": [row["prompt"] for row in rows], "completions": completions}
        arguments |= {"completion_ids": [[1, 2]] * len(rows)}
        found = function(**arguments, **columns)
        if self.is_async(function):
            found = asyncio.run(found)
        assert len(found) == len(rows)
        return [math.nan if each is None else float(each) for each in found]

    @staticmethod
    def unwrapped(function: Any) -> Any:
        while isinstance(function, functools.partial):
            function = function.func
        return function

    def is_async(self, function: Any) -> bool:
        function = self.unwrapped(function)
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(function.__call__)

    def _extra(self, column: str, values: list[Any]) -> None:
        self.extra.setdefault(column, []).extend(values)

    def _metric(self, name: str, value: float) -> None:
        self.metrics.setdefault(name, []).append(value)


class Verl:
    """The function comes from a config: `pkg://module` and a name, with `reward_kwargs` merged into every call."""

    def __init__(self, path: str, name: str, **reward_kwargs: Any) -> None:
        function = getattr(importlib.import_module(path.removeprefix("pkg://")), name)
        self.is_async = inspect.iscoroutinefunction(function)
        self.call: Callable[..., Any] = lambda **given: function(**{**given, **reward_kwargs})

    async def run_single(self, row: Row, response: str) -> Row:
        """As the reward loop's naive manager: one sample, in a thread or awaited; extra information is filled in."""
        extra = {**row["extra_info"], "num_turns": None, "rollout_reward_scores": {}}
        given = {
            "data_source": row["data_source"],
            "solution_str": response,
            "ground_truth": row["reward_model"]["ground_truth"],
            "extra_info": extra,
        }
        if self.is_async:
            result = await self.call(**given)
        else:
            result = await asyncio.get_running_loop().run_in_executor(None, lambda: self.call(**given))
        return self._told(result)

    def run_many(self, rows: Sequence[Row], responses: Sequence[str]) -> list[Row]:
        """As the reward loop: all samples of a chunk side by side, and one column for each member of the first."""

        async def main() -> list[Row]:
            return list(await asyncio.gather(*(self.run_single(*each) for each in zip(rows, responses, strict=True))))

        found = asyncio.run(main())
        for name in found[0]["reward_extra_info"]:
            assert all(name in each["reward_extra_info"] for each in found)
        return found

    def run_batch(self, rows: Sequence[Row], responses: Sequence[str]) -> list[Any]:
        """As the manager `batch`: whole columns at once."""
        found = self.call(
            data_sources=[row["data_source"] for row in rows],
            solution_strs=list(responses),
            ground_truths=[row["reward_model"]["ground_truth"] for row in rows],
            extra_infos=[dict(row["extra_info"]) for row in rows],
        )
        return [self._told(each)["reward_score"] for each in found]

    def run_old_naive(self, row: Row, response: str) -> float:
        """As the older naive manager, which takes a TimeoutError for a score of 0."""
        try:
            result = self.call(
                data_source=row["data_source"],
                solution_str=response,
                ground_truth=row["reward_model"]["ground_truth"],
                extra_info={},
            )
        except TimeoutError:
            return 0.0
        return float(self._told(result)["reward_score"])

    @staticmethod
    def _told(result: Any) -> Row:
        if isinstance(result, dict):
            return {"reward_score": float(result["score"]), "reward_extra_info": dict(result)}
        return {"reward_score": float(result), "reward_extra_info": {"acc": float(result)}}


class OpenRlhf:
    """The function is `reward_func` of a file, called in a thread with lists of one; an exception is logged, and the sample
    then has no reward."""

    def __init__(self, file: str) -> None:
        assert file.endswith(".py")
        spec = importlib.util.spec_from_file_location("reward_func", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.reward_func = module.reward_func

    def reward(self, prompt: str, response: str, label: str) -> Row:
        with ThreadPoolExecutor(1) as threads:
            try:
                found = threads.submit(self.reward_func, [prompt + response], [prompt], [label]).result()
            except Exception:
                found = None
        if not found:
            return {"reward": None, "scores": None, "extra_logs": {}}
        scores = found.get("scores")
        scores = found.get("rewards") if scores is None else scores
        return {"reward": found.get("rewards"), "scores": scores, "extra_logs": found.get("extra_logs") or {}}


@dataclass
class TaskData:
    """Stands for verifiers' frozen model of a task's data."""

    ground_truth: Any
    prompt: Any = "question"
    idx: int = 0

    def model_dump(self) -> Row:
        return {"idx": self.idx, "prompt": self.prompt, "ground_truth": self.ground_truth}


class Verifiers:
    """The function comes from a config, `module:name` or `module.name`. It gets those of task, trace and runtime that its
    signature names, is awaited, and its error is kept on the trace, where the reward stays None."""

    def __init__(self, fn: str) -> None:
        module, _, name = fn.rpartition(":") if ":" in fn else fn.rpartition(".")
        self.function = getattr(importlib.import_module(module), name)

    def score(self, ground_truths: Sequence[Any], replies: Sequence[str]) -> list[tuple[float | None, str]]:
        async def one(ground_truth: Any, reply: str) -> tuple[float | None, str]:
            available = {"task": TaskData(ground_truth), "trace": SimpleNamespace(last_reply=reply.strip()), "runtime": None}
            wanted = inspect.signature(self.function).parameters
            try:
                found = await self.function(**{name: available[name] for name in wanted if name in available})
            except Exception as error:
                return None, f"{type(error).__name__}: {error}"
            return float(found), ""

        async def main() -> list[tuple[float | None, str]]:
            return list(await asyncio.gather(*(one(*each) for each in zip(ground_truths, replies, strict=True))))

        return asyncio.run(main())


@dataclass
class SlimeSample:
    response: str
    label: str | None = None
    metadata: Row = field(default_factory=dict)
    prompt: Any = "question"


class Slime:
    """The function comes from a dotted path and is awaited with slime's arguments and a sample, or a list of samples."""

    def __init__(self, path: str) -> None:
        module, _, name = path.rpartition(".")
        self.function = getattr(importlib.import_module(module), name)

    def one(self, sample: SlimeSample) -> Any:
        return asyncio.run(self._awaited(sample))

    def group(self, samples: list[SlimeSample]) -> Any:
        return asyncio.run(self._awaited(samples))

    async def _awaited(self, what: Any) -> Any:
        return await self.function(SimpleNamespace(reward_key=None, group_rm=isinstance(what, list)), what)


def location(module: str) -> str:
    """The file of a module, as a user's shell finds it."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin))
