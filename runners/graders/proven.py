"""Values of trusted programs, proven by running them twice where all that may vary does, and kept in the cache folder."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reexec.engine.commands import AnyExecutor
from reexec.engine.errors import ReexecError
from reexec.engine.judging.compare import compare
from reexec.engine.program import Call
from reexec.engine.protocol import values
from reexec.engine.version import VERSION
from reexec.policies.model import Determinism

from ..execution import another
from .lifting.tree import PYTHON
from .plan import Run

type Proven = tuple[Any] | None
"""The value in a tuple, or None where there is no proof."""


class ProvenValues:
    """`name` is the folder below the cache."""

    def __init__(self, executor: AnyExecutor, name: str) -> None:
        self._executor = executor
        root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        self._folder = Path(root) / "reexec" / name

    def of(self, wanted: Iterable[tuple[str, list[Run]]]) -> dict[str, list[Proven]]:
        """For each key the proven value of each run, in order."""
        found: dict[str, list[Proven]] = {}
        missing: dict[str, list[Run]] = {}
        digests: dict[str, str] = {}
        for key, runs in wanted:
            digests[key] = self._digest(runs)
            known = self._load(digests[key], len(runs))
            if known is None:
                missing[key] = runs
            else:
                found[key] = known
        if missing:
            for key, proven in self._prove(missing).items():
                found[key] = proven
                if None not in proven:  # a limit may have been the reason, and limits change
                    self._save(digests[key], proven)
        return found

    def _digest(self, runs: list[Run]) -> str:
        digest = hashlib.blake2b(digest_size=16)
        policy = self._executor.policy  # its limits change no value that is proven
        about = [VERSION, self._executor.interpreter.version_text, policy.determinism.model_dump_json(), *policy.prelude]
        digest.update("\0".join(about).encode())
        for run in runs:
            digest.update(run.program.id.encode())
            assert isinstance(run.call, Call)
            digest.update(values.encode([list(run.call.args), dict(run.call.kwargs)], tagged=True))
        return digest.hexdigest()

    def _prove(self, missing: dict[str, list[Run]]) -> dict[str, list[Proven]]:
        policy = self._executor.policy
        own = policy.determinism
        seeds = {name: getattr(own, name) + 1 for name in ("hash_seed", "random_seed", "numpy_seed")}
        varied = policy.model_copy(update={"determinism": Determinism(**seeds, fixed_addresses=False)})
        first = self._values(self._executor, missing)
        with another(self._executor, varied) as other:
            second = self._values(other, missing)
        return {key: [_agreed(one, two) for one, two in zip(first[key], second[key], strict=True)] for key in missing}

    def _values(self, executor: AnyExecutor, missing: dict[str, list[Run]]) -> dict[str, list[Proven]]:
        found: dict[str, list[Proven]] = {key: [] for key in missing}
        items = ((run.program, run.call, key) for key, runs in missing.items() for run in runs)
        for outcome, key in executor.run_many(items):
            assert outcome is not None
            if outcome.kind == "engine-error":
                raise ReexecError(f"the values of problem {key} could not be proven: {outcome.describe()}")
            found[key].append((outcome.value,) if outcome.ok else None)
        return found

    def _load(self, digest: str, count: int) -> list[Proven] | None:
        try:
            rows = json.loads((self._folder / f"{digest}.json").read_text())
            proven: list[Proven] = [(values.untag(row[0]),) if row else None for row in rows]
        except (OSError, ValueError, LookupError, TypeError, values.Refused):
            return None
        return proven if len(proven) == count else None

    def _save(self, digest: str, proven: list[Proven]) -> None:
        rows = [[json.loads(values.encode(each[0], tagged=True))] if each else None for each in proven]
        path = self._folder / f"{digest}.json"
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(rows))
            os.replace(temporary, path)  # noqa: PTH105
        except (OSError, ValueError):
            temporary.unlink(missing_ok=True)  # a cache that cannot be written costs time only


def _agreed(one: Proven, two: Proven) -> Proven:
    return one if one and two and compare(one[0], two[0], PYTHON).equal else None
