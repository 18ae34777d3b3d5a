"""A CRUXEval run from files to files: its output is one JSON object, written whole at the end.

Beside SCORED.json lies SCORED.tests.jsonl, a row a prediction with its verdict, and SCORED.manifest.json, which says what
the file was made from: the same command finds it complete and does nothing.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.version import VERSION
from reexec.runners.rows.run import beside
from reexec.runners.rows.source import read_bytes
from reexec.runners.rows.text import dump

from .cruxeval import CruxEval, Mode, Prediction, Semantics, disagreements, percent_at_k, score_lists
from .problems import Problems

_NEEDS = ("code", "input", "output")


@dataclass(frozen=True, slots=True)
class CruxSummary:
    rows: int
    passed: int
    pass_at_1: float
    """Percent, as the harness prints it."""
    pass_at_5: float
    verdicts: dict[str, int]
    disagreements: int | None
    """Predictions that the official scores judge differently; None where none were given."""
    already_done: bool = False


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a file, plain or compressed. Raises UsageError."""
    data = read_bytes(path)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected one JSON object of lists by id; not JSON ({error})") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: expected a JSON object, got {type(found).__name__}, at $")
    return found


def read_generations(path: Path) -> dict[str, list[str]]:
    """`{id: [text, ...]}`; what the harness itself wrote (`raw_generations`) is read as well."""
    whole = read_json_object(path)
    found: dict[str, Any] = whole.get("raw_generations", whole)
    for key, texts in found.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{path}: expected a list of strings, at $.{key}")
    return found


def read_scores(path: Path) -> dict[str, list[bool]]:
    whole = read_json_object(path)
    found: dict[str, Any] = whole.get("raw_scored_generations", whole)
    for key, flags in found.items():
        if not isinstance(flags, list) or not all(isinstance(flag, bool) for flag in flags):
            raise UsageError(f"{path}: expected a list of booleans, at $.{key}")
    return found


def grade_cruxeval(
    problem_paths: list[Path],
    generations_path: Path,
    output: Path,
    executor: Executor,
    *,
    mode: Mode,
    semantics: Semantics = "literal",
    scores_path: Path | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
) -> CruxSummary:
    """Scores a file of generations. Raises UsageError where nothing could be read or written."""
    problems = Problems(problem_paths, _NEEDS)
    generations = read_generations(generations_path)
    official = read_scores(scores_path) if scores_path else None
    key = {
        "engine": VERSION,
        "problems": problems.digest,
        "generations": _digest(generations),
        "scores": _digest(official),
        "mode": mode,
        "semantics": semantics,
        "policy": executor.policy.digest,
        "python": executor.interpreter.version_text,
    }
    manifest = beside(output, "manifest.json")
    known = None if overwrite else _complete(output, manifest, key)
    if known is not None:
        return CruxSummary(**known, already_done=True)
    predictions: list[Prediction] = []
    for each in CruxEval(problems, generations, mode, semantics, executor).predictions():
        predictions.append(each)
        if on_row is not None:
            on_row(each.word)
    scores = score_lists(predictions, semantics)
    differing = disagreements(predictions, official, problems, mode) if official is not None else None
    verdicts: dict[str, int] = {}
    for each in predictions:
        verdicts[each.word] = verdicts.get(each.word, 0) + 1
    summary: dict[str, Any] = {
        "rows": len(predictions),
        "passed": verdicts.get("accepted", 0),
        "pass_at_1": percent_at_k(scores, 1),
        "pass_at_5": percent_at_k(scores, 5),
        "verdicts": dict(sorted(verdicts.items(), key=lambda item: (-item[1], item[0]))),
        "disagreements": None if differing is None else len(differing),
    }
    scored = {
        "raw_generations": generations,
        "raw_scored_generations": scores,
        "pass_at_1": summary["pass_at_1"],
        "pass_at_5": summary["pass_at_5"],
    }
    _write(beside(output, "tests.jsonl"), _side(predictions, differing or []))
    _write(output, json.dumps(scored) + "\n")
    facts = {"problems": [str(path) for path in problem_paths], "isolation": executor.isolation.value}
    record = {"record": "reexec.run", "stage": "grade cruxeval", "key": key, "facts": facts, "summary": summary}
    _write(manifest, json.dumps({**record, "size": output.stat().st_size}, indent=1) + "\n")
    return CruxSummary(**summary)


def _complete(output: Path, manifest: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """The summary of the run that made `output`, where it is this one. Raises UsageError where the file is another's."""
    if not output.exists():
        return None
    try:
        record = json.loads(manifest.read_text())
        if record["key"] == key and record["size"] == output.stat().st_size:
            return dict(record["summary"])
        changed = sorted(name for name in key if record["key"].get(name) != key[name])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{output}: exists and is not a run's output; --overwrite replaces it") from None
    raise UsageError(f"{output}: was made with another {', '.join(changed) or 'content'}; --overwrite replaces it")


def _side(predictions: list[Prediction], differing: list[tuple[Prediction, bool]]) -> str:
    official = {id(each): flag for each, flag in differing}
    lines = []
    for each in predictions:
        record: dict[str, Any] = {"id": each.problem, "index": each.index, "verdict": each.word, "prediction": each.text[:2000]}
        if each.detail:
            record["detail"] = each.detail[:500]
        if each.left_out:
            record["left_out"] = True
        if id(each) in official:
            record["official"] = official[id(each)]
        lines.append(dump(record) + "\n")
    return "".join(lines)


def _digest(value: Any) -> str:
    return hashlib.blake2b(dump(value).encode(), digest_size=16).hexdigest()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(text, encoding="utf-8", errors="surrogatepass")
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None
