"""What to type where an optional library is missing."""

import shlex
import sys
from pathlib import Path

from reexec.engine.errors import UsageError

_ROOT = Path(__file__).resolve().parents[1]


def missing_extra(what: str, extra: str) -> UsageError:
    """WHAT needs the extra. In a checkout the command is the one that fills its environment, which holds no pip."""
    uv = _ROOT / "scripts" / "uv"
    if uv.is_file():
        command = shlex.join([str(uv), "pip", "install", "--python", sys.executable, "-e", f"{_ROOT}[{extra}]"])
    else:
        command = f"pip install '.[{extra}]', where reexec's source lies"
    return UsageError(f"{what} needs the extra `{extra}`; type: {command}")
