"""`Reward`: completions and what they are judged by to scores, many in one call.

A batch costs what its checks cost: all of them are under way at once, in one stream for each policy. What the engine does not
know is None and says why; it is never a zero.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from reexec.engine.errors import DeadlineExceededError, EngineError, UsageError
from reexec.engine.executor import Executor
from reexec.policies.layers import load_policy
from reexec.policies.model import Policy

from ..graders.assertions import Unlifted
from ..graders.flow import Attempt, run_attempts
from ..graders.registry import task_named
from ..graders.text_rules import TextRule
from .completions import completion_text
from .executors import executor_for
from .plans import Choices, Grade, Prepared, outcome_of, plan_crux, plan_pair
from .truth import BadTruthError, Crux, Pair, Problem, Truth, read_truth

Missing = Literal["", "engine", "deadline", "row"]
PAIRS, CRUXEVAL = "codeio", "cruxeval"
_LOG = logging.getLogger("reexec.rewards")


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one completion.

    `reward`: 1.0 where it is right, 0.0 where not, something between where shares are graded; None where nothing is known.
    `verdict`: a word of docs/verdicts.md; empty where nothing was judged. `detail`: one line for a person, with words of the
    model's in it: escape it where you show it. `missing`: why there is no reward, "" where there is one.

        engine     the host failed
        deadline   the time that the caller gave was over; says nothing about the completion
        row        the row has nothing that it can be judged by
    """

    reward: float | None
    verdict: str
    detail: str = ""
    missing: Missing = ""


@dataclass(frozen=True, slots=True)
class Reward:
    """How completions are judged. A value: it can be pickled, and holds no pool.

    workers:   checks at the same time; the machine's processors where None
    timeout:   seconds that a call may take, all together; no bound where None
    grade:     "all": right or wrong. "fraction": the share of the tests that pass
    policy:    a preset's name or a TOML file for everything; where None, `codeio` for pairs and the preset of each grader.
               REEXEC_POLICY is read as everywhere
    settings:  changes of it, as "limits.cpu_s=1"
    unlifted:  a benchmark's test that can only run beside its solution is "run" there, or it is "refuse"d: no reward
    compare:   when a program's text or value is right under tests, as `reexec grade tests --compare`: "lines", "tokens",
               "numbers", or "apps" and "livecodebench", as those tools' own checkers do
    """

    workers: int | None = None
    timeout: float | None = None
    grade: Grade = "all"
    policy: str | None = None
    settings: tuple[str, ...] = ()
    unlifted: Unlifted = "run"
    compare: TextRule = "lines"

    def __post_init__(self) -> None:
        if self.unlifted not in ("run", "refuse"):
            raise UsageError(f'unlifted is {self.unlifted!r}; it must be "run" or "refuse"')
        if self.grade not in ("all", "fraction"):
            raise UsageError(f'grade is {self.grade!r}; it must be "all" or "fraction"')
        if self.compare not in get_args(TextRule):
            raise UsageError(f"compare is {self.compare!r}; it must be one of {', '.join(get_args(TextRule))}")
        if self.timeout is not None and not self.timeout > 0:
            raise UsageError(f"timeout is {self.timeout!r}; it must be more than 0 seconds")
        given = (self.settings,) if isinstance(self.settings, str) else tuple(map(str, self.settings))
        object.__setattr__(self, "settings", given)

    def score(self, completion: Any, truth: Any) -> Score:
        """As score_many, of one."""
        return self.score_many([completion], [truth])[0]

    def score_many(self, completions: Sequence[Any], truths: Sequence[Any]) -> list[Score]:
        """A score for each completion, in order. Safe in several threads at once.

        `completions[i]` is a text or a list of messages, `truths[i]` a row of `reexec export --to rl`, its `ground_truth`, or
        another form of `truth.py`. Raises UsageError where the two differ in number or settings are wrong, and nothing on
        account of a row, a model's text or the host: what they are to blame for stands in the scores.
        """
        return self._score_many(completions, truths, self._deadline())

    async def ascore(self, completion: Any, truth: Any) -> Score:
        """As score, awaited."""
        return (await self.ascore_many([completion], [truth]))[0]

    async def ascore_many(self, completions: Sequence[Any], truths: Sequence[Any]) -> list[Score]:
        """As score_many, in a thread of our own. The timeout counts from this call on."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), self._score_many, completions, truths, self._deadline())

    def policy_of(self, truth: Truth) -> Policy:
        """The policy that the truth is judged under. Raises PolicyError."""
        own = task_named(truth.task).policy if isinstance(truth, Problem) else _kind(truth)
        return _policy(self.policy or own, self.settings, os.environ.get("REEXEC_POLICY", ""))

    def _deadline(self) -> float | None:
        return None if self.timeout is None else time.monotonic() + self.timeout

    def _score_many(self, completions: Sequence[Any], truths: Sequence[Any], deadline: float | None) -> list[Score]:
        if len(completions) != len(truths):
            raise UsageError(f"{len(completions)} completions and {len(truths)} rows to judge them by")
        scores: list[Score | None] = [None] * len(completions)
        policies: dict[str, Policy] = {}
        groups: dict[str, list[_Item]] = {}
        for at, (completion, given) in enumerate(zip(completions, truths, strict=True)):
            try:
                truth = read_truth(given)
                text = completion_text(completion)
            except (BadTruthError, ValueError) as error:
                scores[at] = Score(None, "", str(error), "row")
                continue
            kind = _kind(truth)
            if kind not in policies:
                policies[kind] = self.policy_of(truth)
            groups.setdefault(policies[kind].digest, []).append(_Item(at, text, truth, policies[kind]))
        for items in groups.values():
            for item, score in self._group(items, deadline):
                scores[item.at] = score
        found = [score or Score(None, "engine-error", "no score came back", "engine") for score in scores]
        _tell(found)
        return found

    # -- completions under one policy ---------------------------------------------------------------------------

    def _group(self, items: "list[_Item]", deadline: float | None) -> "Iterator[tuple[_Item, Score]]":
        attempts: list[Attempt] = []
        executor: Executor | None = None
        try:
            prepared = None
            problems = [item.truth for item in items if isinstance(item.truth, Problem)]
            if problems:
                executor = executor_for(items[0].policy, self.workers)
                prepared = _prepared_for(executor, Choices(self.grade, self.unlifted, self.compare))
                prepared.prepare(problems)
        except EngineError as error:
            yield from ((item, Score(None, "engine-error", str(error), "engine")) for item in items)
            return
        for item in items:
            score = self._planned(item, prepared, attempts)
            if score is not None:
                yield item, score
        yield from self._executed(attempts, items[0].policy, deadline)

    def _planned(self, item: "_Item", prepared: Prepared | None, attempts: list[Attempt]) -> Score | None:
        """The score where nothing has to run; else the attempt is added to `attempts`."""
        try:
            if isinstance(item.truth, Pair):
                plan = plan_pair(item.text, item.truth, item.policy.comparison)
            elif isinstance(item.truth, Crux):
                plan = plan_crux(item.text, item.truth)
            else:
                assert prepared is not None
                plan = prepared.plan(item.text, item.truth)
        except BadTruthError as error:
            return Score(None, "", str(error), "row")
        except EngineError as error:
            return Score(None, "engine-error", str(error), "engine")
        except Exception as error:  # ours: it says nothing about the completion, and must not end a training run
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return Score(None, "engine-error", f"an error in reexec itself: {said}", "engine")
        if not plan.tests:
            return self._scored(Attempt(plan, item))
        attempts.append(Attempt(plan, item))
        return None

    def _executed(
        self, attempts: list[Attempt], policy: Policy, deadline: float | None, *, again: bool = True
    ) -> "Iterator[tuple[_Item, Score]]":
        if not attempts:
            return
        why = Score(None, "engine-error", "the engine failed", "engine")
        ended = False
        try:
            executor = executor_for(policy, self.workers)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                for _ in run_attempts(executor, attempts, timeout=left):
                    pass
            finally:
                ended = not executor.is_open
        except DeadlineExceededError:
            why = Score(None, "", "not judged when the timeout was over", "deadline")
        except EngineError as error:
            why = Score(None, "engine-error", str(error), "engine")
        except UsageError as error:  # one that cannot be sent: the others must not suffer
            why = Score(None, "engine-error", str(error), "engine")
            if len(attempts) > 1 and not ended:
                for attempt in attempts:
                    yield from self._executed([Attempt(attempt.plan, attempt.tag)], policy, deadline)
                return
        lost: list[Attempt] = []
        for attempt in attempts:
            score = self._scored(attempt) if attempt.done else why
            if ended and again and score.missing == "engine":  # another executor may know
                lost.append(Attempt(attempt.plan, attempt.tag))
            else:
                yield attempt.tag, score
        yield from self._executed(lost, policy, deadline, again=False)

    def _scored(self, attempt: Attempt) -> Score:
        word, reward, detail = outcome_of(attempt.plan, attempt.finished_results(), self.grade)
        return Score(reward, word, detail, "" if reward is not None else "engine")


def _kind(truth: Truth) -> str:
    """Of truths that are judged under one policy; for those that no grader has, its preset."""
    return truth.task if isinstance(truth, Problem) else CRUXEVAL if isinstance(truth, Crux) else PAIRS


@lru_cache(maxsize=64)
def _policy(source: str, settings: tuple[str, ...], environment: str) -> Policy:
    return load_policy(source, settings=settings, environment={"REEXEC_POLICY": environment})


@dataclass(frozen=True, slots=True)
class _Item:
    at: int
    text: str
    truth: Truth
    policy: Policy


# -- what a process keeps ---------------------------------------------------------------------------------------

_state_lock = threading.Lock()
_prepared: dict[tuple[int, Choices], Prepared] = {}
_pool: ThreadPoolExecutor | None = None


def _prepared_for(executor: Executor, choices: Choices) -> Prepared:
    with _state_lock:
        for key, held in list(_prepared.items()):
            if not held.executor.is_open:
                del _prepared[key]
        key = (id(executor), choices)
        if key not in _prepared:
            _prepared[key] = Prepared(executor, choices)
        return _prepared[key]


def _threads() -> ThreadPoolExecutor:
    """Threads in which awaited calls wait. Twice as many as there are processors keep all workers busy: a call that waits for
    an endless loop has a worker to itself."""
    global _pool
    with _state_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(min(32, 2 * len(os.sched_getaffinity(0)) + 4), thread_name_prefix="reexec-reward")
        return _pool


def _after_fork() -> None:
    global _state_lock, _pool
    _state_lock = threading.Lock()
    _pool = None  # its threads did not come along
    _prepared.clear()


os.register_at_fork(after_in_child=_after_fork)


def _tell(scores: list[Score]) -> None:
    missing = [score for score in scores if score.missing]
    if missing:
        first = missing[0]
        _LOG.warning(
            "%d of %d completions have no reward; the first (%s): %s", len(missing), len(scores), first.missing, first.detail
        )
