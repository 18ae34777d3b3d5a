"""What compilers made, and sources of languages without one: files of one folder, which jails show read-only.

Names are drawn by lot and the folder cannot be listed by a jail's uid, so a program can open its own file and no other's. The
host writes these files and never runs one.
"""

import secrets
import shutil
import tempfile
from pathlib import Path

from ..jail.tools import ARTEFACTS

_PASSED_THROUGH = 0o311  # entered and written by its owner, entered by others, read by nobody
_READ_AND_RUN = 0o555


class Artefacts:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="reexec-artefacts-"))
        self.folder.chmod(_PASSED_THROUGH)

    def put(self, content: bytes, ending: str = "") -> str:
        """Keeps `content`; its name. Raises OSError."""
        name = secrets.token_hex(16) + ending
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(_READ_AND_RUN)
        return name

    @staticmethod
    def path_inside(name: str) -> str:
        """Where a jail shows it."""
        return f"{ARTEFACTS}/{name}"

    def drop(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """The folder and all in it."""
        if self.folder.exists():
            self.folder.chmod(0o700)
            shutil.rmtree(self.folder, ignore_errors=True)
