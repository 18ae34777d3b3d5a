"""What a language's compilations need and none of them should make anew: made once on this host, as its user, and kept in the
user's cache folder for each version of the toolchain. Nothing of a program that is checked has a part in it."""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from .probe import Found

PREPARED_INSIDE = "/scratch/prepared"
_PATIENCE_S = 900.0


def prepared(found: Found) -> str:
    """The folder; "" where the language needs none, or this host cannot make it: then each compilation does all the work."""
    compiles = found.toolchain.compile
    if compiles is None or not compiles.prepare:
        return ""
    told = json.dumps([found.version, found.paths, compiles.prepare, compiles.environment], sort_keys=True)
    name = f"{found.toolchain.language}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reexec" / "toolchains"
    made = home / name
    if not made.is_dir():
        try:
            home.mkdir(parents=True, exist_ok=True)
            _make(found, made)
        except (OSError, subprocess.SubprocessError):
            return ""
    return str(made) if made.is_dir() else ""


def _make(found: Found, made: Path) -> None:
    """Beside its place, and moved there when it is whole. Raises OSError and SubprocessError."""
    compiles = found.toolchain.compile
    assert compiles is not None
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / "made"
        folder.mkdir(mode=0o755)
        names = {"prepared": str(folder)}
        environment = os.environ | {key: found.filled(value, **names) for key, value in compiles.environment.items()}
        for step in compiles.prepare:
            subprocess.run(
                [found.filled(each, **names) for each in step],
                env=environment | {"TMPDIR": temporary}, cwd=temporary, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_PATIENCE_S, check=True,
            )  # fmt: skip
        for path in folder.rglob("*"):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        with contextlib.suppress(OSError):  # somebody else was faster
            folder.rename(made)
