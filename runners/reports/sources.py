"""Which files a run consists of: a pipeline's folder, or one file of verified rows with what lies beside it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ..environment import LackedReport, lacked
from ..rows.run import beside

PIPELINE = "pipeline.json"


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """The verified rows of one turn, and the files that belong to them."""

    turn: int
    path: Path
    functions: Path | None
    usage: Path | None
    policy: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Losses:
    """Rows that a stage left out, in the stage's rejects file; the input's rows still hold where they come from."""

    stage: str
    rejects: Path
    drops: Path | None


@dataclass(slots=True)
class RunFiles:
    title: str
    turns: list[VerifiedFile] = field(default_factory=list)
    losses: list[Losses] = field(default_factory=list)
    funnel: dict[str, int] = field(default_factory=dict)
    stages: list[tuple[str, str, float]] = field(default_factory=list)
    """Name, state, seconds."""
    facts: dict[str, str] = field(default_factory=dict)
    missing: list[tuple[str, LackedReport]] = field(default_factory=list)
    """Of each stage whose programs lacked modules: its name, and which."""


def find_run(path: Path, any_stage: bool = False) -> RunFiles:
    """Raises UsageError if `path` is neither a pipeline's folder nor a file of verified rows with its manifest. `any_stage`: of
    another stage's output there are the losses."""
    if path.is_dir():
        return _pipeline(path)
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    manifest = manifest_of(path)
    if any_stage and manifest is not None and manifest.get("stage") != "verify":
        stage = str(manifest.get("stage", ""))
        return RunFiles(path.name, losses=_losses(stage, path), missing=_missing(stage, path))
    if manifest is None or manifest.get("stage") != "verify":
        raise UsageError(
            f"{path}: expected a file that `reexec verify` wrote (with its manifest beside it), or a pipeline's folder"
        )
    run = RunFiles(path.name)
    run.turns.append(_verified(1, path, manifest))
    run.losses += _losses("verify", path)
    run.missing += _missing("verify", path)
    run.facts = _facts(manifest)
    return run


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def manifest_of(output: Path) -> dict[str, Any] | None:
    """The manifest beside an output; None where there is none that can be read."""
    return _read_json(beside(output, "manifest.json"))


def named_by(manifest: dict[str, Any], output: Path, named: str) -> Path | None:
    """A file that a manifest names as the command did: taken from where the run was started, else, where the files were moved
    together, from the output's folder or one above it, or beside the output. None where it is nowhere."""
    path, started_in, folder = Path(named), manifest.get("started_in"), output.absolute().parent
    places = [Path(started_in) / path] if isinstance(started_in, str) else []
    places += [above / path for above in (folder, *folder.parents)]
    return next((place for place in (*places, path, folder / path.name) if place.is_file()), None)


def _pipeline(folder: Path) -> RunFiles:
    record = _read_json(folder / PIPELINE)
    if record is None or record.get("record") != "reexec.pipeline":
        raise UsageError(f"{folder}: not the folder of a pipeline (it has no readable {PIPELINE})")
    run = RunFiles(folder.resolve().name, funnel={name: int(count) for name, count in (record.get("funnel") or {}).items()})
    for name, stage in (record.get("stages") or {}).items():
        run.stages.append((name, str(stage.get("state", "")), float(stage.get("wall_s") or 0.0)))
        outputs = [folder / file for file in stage.get("files") or () if file.endswith(".jsonl")]
        if not outputs:
            continue
        run.losses += _losses(name, outputs[0])
        run.missing += _missing(name, outputs[0])
        if name.startswith("verify-") and outputs[0].exists():
            manifest = manifest_of(outputs[0]) or {}
            run.turns.append(_verified(int(name.rpartition("-")[2]), outputs[0], manifest))
            run.facts = run.facts or _facts(manifest)
    run.facts |= {"Python": str(record.get("python", "")), "source": str((record.get("source") or {}).get("path", ""))}
    return run


def _verified(turn: int, path: Path, manifest: dict[str, Any]) -> VerifiedFile:
    facts = manifest.get("facts") or {}
    named = facts.get("functions")
    functions = named_by(manifest, path, named) if isinstance(named, str) else None
    named_usage = [
        path.with_name(name) for name in (manifest.get("key") or {}).get("side files") or () if isinstance(name, str)
    ]
    usage = next((place for place in (beside(path, "usage.jsonl"), *named_usage) if place.is_file()), None)
    return VerifiedFile(turn, path, functions, usage, facts.get("policy") or {})


def _losses(stage: str, output: Path) -> list[Losses]:
    rejects, drops = beside(output, "rejects.jsonl"), beside(output, "drops.jsonl")
    return [Losses(stage, rejects, drops if drops.is_file() else None)] if rejects.is_file() else []


def _missing(stage: str, output: Path) -> list[tuple[str, LackedReport]]:
    """Empty where the stage's manifest knows of none."""
    if not beside(output, "manifest.json").is_file():
        return []
    try:
        found = lacked(output)
    except UsageError:  # a stage that runs no program
        return []
    return [(stage, found)] if found.modules else []


def _facts(manifest: dict[str, Any]) -> dict[str, str]:
    facts, key = manifest.get("facts") or {}, manifest.get("key") or {}
    return {
        "isolation": str(facts.get("isolation", "")),
        "workers": str(facts.get("workers", "")),
        "policy": str((facts.get("policy") or {}).get("name", "")),
        "engine": str(key.get("engine", "")),
    }
