"""The sample of CodeI/O, which lies beside the repository on some machines, and subsets of it."""

from pathlib import Path

from tests.conftest import ROOT, lacking

SAMPLE = ROOT.parent / "shared" / "data" / "codeio_parsed.jsonl"


def sample() -> Path:
    if not SAMPLE.is_file():
        lacking("../shared/data/codeio_parsed.jsonl, the sample of CodeI/O")
    return SAMPLE


def subset(folder: Path, count: int | None, first: int = 0) -> Path:
    """`count` functions of the sample, evenly spread; all of them for None."""
    lines = sample().read_bytes().splitlines()
    path = folder / "functions.jsonl"
    step = len(lines) // count if count else 1
    chosen = lines[first::step][:count]
    path.write_bytes(b"".join(line + b"\n" for line in chosen))
    return path
