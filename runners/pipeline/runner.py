"""Runs a plan over its folder: what is missing or changed, and nothing else.

A stage is current where its entry in pipeline.json is done, with the fingerprint of what is wanted now, and its outputs are as
it left them. Where the fingerprint is the same and the stage is not done, it goes on. Else its files are removed and it is done
anew. The order of these steps makes a kill at any moment harmless:

    files removed -> entry says `running` with the new fingerprint -> the stage runs -> entry says `done`

Before the second step the old entry, or none, stands for the files that are left; after it, whatever lies there is the stage's
own work, from which its function goes on.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.version import VERSION

from ..digests import digest_of
from ..rows.documents import lock, read_document
from ..rows.run import beside
from ..rows.text import canonical
from ..stage import Progress, Silent
from .funnel import Step, funnel
from .plan import Plan, Stage
from .record import DONE, NAME, STOPPED, Record

Watch = Callable[[Stage], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class StageResult:
    stage: Stage
    state: str
    """`current` (unchanged), `done`, or `stopped` at what it may cost."""
    counts: dict[str, Any]
    wall_s: float


@dataclass(slots=True)
class PipelineResult:
    stages: list[StageResult] = field(default_factory=list)
    funnel: list[Step] = field(default_factory=list)
    """Empty where the run stopped before its end."""

    @property
    def stopped(self) -> StageResult | None:
        return next((result for result in self.stages if result.state == STOPPED), None)

    def total(self, name: str) -> int:
        """The sum of one count over all stages."""
        return sum(result.counts.get(name, 0) for result in self.stages)

    @property
    def rejected(self) -> int:
        return self.total("rejected")

    @property
    def isolation(self) -> str | None:
        """The isolation that the programs ran in, as the last stage that ran any has recorded it."""
        for result in reversed(self.stages):
            if result.stage.name.startswith("verify-"):
                manifest = read_document(beside(result.stage.output, "manifest.json"))
                return str(manifest["facts"]["isolation"])
        return None


def run_pipeline(
    plan: Plan,
    *,
    overwrite: bool = False,
    watch: Watch | None = None,
    on_stage: Callable[[StageResult], None] | None = None,
) -> PipelineResult:
    """Does all stages of a plan. `watch` is asked for a meter around each stage that has something to do; `on_stage` is told
    what came of each, unchanged ones included.

    Raises UsageError where nothing could be read or written. KeyboardInterrupt and kills leave a folder from which the same
    call goes on.
    """
    folder = plan.context.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({os.strerror(error.errno or 0).lower()})") from None
    with _alone(folder):
        record = _Recorded(plan, overwrite)
        result = PipelineResult()
        for stage in plan.stages:
            outcome = record.current(stage) or record.run(stage, watch or _unwatched)
            result.stages.append(outcome)
            if on_stage is not None:
                on_stage(outcome)
            if outcome.state == STOPPED:
                return result
        result.funnel = funnel({one.stage.name: one.counts for one in result.stages}, plan.context.config.turns)
        record.conclude(result)
        return result


@contextmanager
def _unwatched(_: Stage) -> Iterator[Progress]:
    yield Silent()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs over one folder would cut each other's files back. The lock ends with the process that holds it."""
    handle = lock(folder, "another run works in this folder; wait for its end")
    try:
        yield
    finally:
        os.close(handle)


class _Recorded:
    """A plan's stages against the folder's record."""

    def __init__(self, plan: Plan, overwrite: bool) -> None:
        self._plan, self._overwrite = plan, overwrite
        context = plan.context
        self._record = Record.empty(context.folder) if overwrite else Record(context.folder)
        kind, path = context.config.source
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a regular file; a run must be able to read it again when it goes on")
        self._record.facts = {
            "config": context.config.model_dump(mode="json"),
            "source": {"kind": kind, "path": str(path), "digest": self._record.digest(path)},
            "policy": {"digest": context.policy.digest, **context.policy.model_dump(mode="json")},
            "python": context.python_version,
        }

    def _fingerprint(self, stage: Stage) -> str:
        read = [self._record.digest(path) for path in (*stage.inputs, *stage.also_decide)]
        body = {"stage": stage.name, "engine": VERSION, "decides": stage.decides, "read": read}
        return digest_of(canonical(body))

    def current(self, stage: Stage) -> StageResult | None:
        """The stage's result where nothing is to be done."""
        entry = self._entry(stage)
        if entry is None or entry["state"] != DONE or entry["fingerprint"] != self._fingerprint(stage):
            return None
        for path in stage.outputs:
            wanted = entry["outputs"].get(path.name)
            if wanted is not None and not path.exists():
                return None
            if wanted is not None and self._record.digest(path) != wanted:
                raise UsageError(
                    f"{path}: has changed since the pipeline wrote it; put it back, or delete it to have it made anew "
                    "(a run can begin with it, if it is given as the config's source)"
                )
        counts = entry["counts"]
        if not stage.is_whole or counts.get("engine_errors") or _may_answer_more(stage, counts):
            return None
        return StageResult(stage, "current", counts, 0.0)

    def _entry(self, stage: Stage) -> Mapping[str, Any] | None:
        return self._record.stages.get(stage.name)

    def run(self, stage: Stage, watch: Watch) -> StageResult:
        fingerprint, entry = self._fingerprint(stage), self._entry(stage)
        goes_on = entry is not None and entry["fingerprint"] == fingerprint
        if goes_on and entry is not None and entry["state"] == DONE:
            # Done, and yet to be done: what failed is asked again, or a file is gone.
            goes_on = _may_answer_more(stage, entry["counts"]) and stage.output.exists()
        if not goes_on:
            self._clear(stage)
            self._record.begin(stage.name, fingerprint, stage.files)
        began = time.monotonic()
        with watch(stage) as meter:
            counts = stage.run(meter)
        wall_s = time.monotonic() - began
        state = STOPPED if counts.get("stopped") else DONE
        self._record.end(stage.name, state, counts, stage.outputs, wall_s)
        return StageResult(stage, state, counts, wall_s)

    def _clear(self, stage: Stage) -> None:
        """Removes what an earlier run left of the stage; refuses what none has made, or what somebody has changed since. The
        manifest goes last: files of ours never lack one. A folder is never removed: its stage replaces its own files in it."""
        found = [path for path in stage.files if path.exists()]
        for path in found:
            if not (self._overwrite or self._record.owns(path)):
                raise UsageError(
                    f"{path}: exists, and {NAME} does not say that the pipeline made it; --overwrite replaces it, or choose "
                    "another folder"
                )
        self._refuse_losses(stage, found)
        for path in found:
            if not path.is_dir():
                path.unlink()

    def _refuse_losses(self, stage: Stage, found: list[Path]) -> None:
        entry = self._entry(stage)
        if self._overwrite or entry is None:
            return
        written = entry.get("outputs", {})
        lost = [str(path) for path in found if path.name in written and self._record.digest(path) != written[path.name]]
        if lost:
            raise UsageError(
                f"{', '.join(lost)}: changed since the pipeline wrote it, and would be lost, because the stage is to be done "
                "anew; move away what you need, or --overwrite replaces it"
            )

    def conclude(self, result: PipelineResult) -> None:
        self._record.facts["funnel"] = {step.key: step.count for step in result.funnel}
        self._record.save()


def _may_answer_more(stage: Stage, counts: Mapping[str, Any]) -> bool:
    """Whether a model is asked again for what failed."""
    return stage.asks is not None and not stage.asks.replay and stage.asks.retry_failed and bool(counts.get("reasons"))
