"""The folder of an export: made beside its name, and put in place without touching anything that is not ours.

Ours are the files that the folder's manifest lists, as long as they hold what it says. Everything else belongs to the user:
checkpoints of a training run, data that was added, a config that was edited. A new export replaces our files one by one and
leaves the others; where that would overwrite or remove one of the user's, it refuses and lists them.

A killed run leaves the folder as it was, or (in the moment of replacing) with a manifest that lists both the old files and the
new ones, so that the next run knows all of them.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...digests import digest_of_file
from ...rows.documents import read_document

MANIFEST = "manifest.json"
RECORD = "reexec.export"
_MARK = ".made-by-reexec-export"
_SHOWN = 8
Manifest = dict[str, Any]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export that stands there; None where nothing does. Raises UsageError where something else does."""
    if str(folder) == "-":
        raise UsageError("-: an export is a folder; give it a name")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder}: its folder does not exist; make it first")
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UsageError(f"{folder}: a file; an export is a folder")
    if not any(folder.iterdir()):
        return None
    try:
        manifest: Manifest = read_document(folder / MANIFEST)
        if manifest["record"] == RECORD and isinstance(manifest["key"], dict) and isinstance(manifest["files"], dict):
            return manifest
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(f"{folder}: not empty, and not an export; choose another name")


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether the export was finished, and none of its files is missing."""
    return "before" not in manifest and all((folder / name).is_file() for name in manifest["files"])


def refuse_losses(folder: Path, manifest: Manifest | None, coming: Mapping[str, Any] | None = None) -> None:
    """Raises UsageError, with a list, where a new export would overwrite or remove a file of the user's: one that we wrote
    and that has changed since, or one that has a name of ours. `coming`: the names of the new export, where they are known."""
    ours = _digests(manifest)
    lost = [name for name in sorted(ours) if _is_changed(folder / name, ours[name])]
    lost += [name for name in sorted(coming or ()) if name not in ours and os.path.lexists(folder / name)]
    if lost and folder.is_dir():
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise UsageError(
            f"{folder}: {', '.join(lost[:_SHOWN])}{more} would be lost: not as an export has written them. Move them away, or "
            "choose another name"
        )


@contextmanager
def made_beside(folder: Path) -> Iterator[Path]:
    """A new folder for the files, removed at the end if it was not put in place."""
    making = folder.with_name(f".{folder.name}.unfinished")
    try:
        _remove(making)
        making.mkdir()
        (making / _MARK).touch()
    except OSError as error:
        raise UsageError(f"{making}: cannot be made ({os.strerror(error.errno or 0).lower()})") from None
    try:
        yield making
    finally:
        with contextlib.suppress(OSError, UsageError):
            _remove(making)


def put_in_place(making: Path, folder: Path, manifest: Manifest | None) -> None:
    """`manifest`: of the export that stands there. Raises UsageError as refuse_losses does."""
    coming: Manifest = read_document(making / MANIFEST)
    refuse_losses(folder, manifest, coming["files"])
    try:
        (making / _MARK).unlink()
        if manifest is None:
            making.rename(folder)  # its name is free, or an empty folder's
            return
        both = {**coming, "before": {**manifest.get("before", {}), **manifest["files"]}}
        (making / "both").write_text(json.dumps(both, indent=1) + "\n")
        os.replace(making / "both", folder / MANIFEST)  # noqa: PTH105
        for name in _digests(manifest).keys() - coming["files"].keys():
            (folder / name).unlink(missing_ok=True)
        for name in (*coming["files"], MANIFEST):  # the manifest last
            os.replace(making / name, folder / name)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({os.strerror(error.errno or 0).lower()})") from None


def write_manifest(making: Path, source: Path, key: dict[str, Any], counts: dict[str, Any]) -> None:
    files = {}
    for path in sorted(making.iterdir()):
        if path.name != _MARK:
            files[path.name] = {"bytes": path.stat().st_size, "digest": digest_of_file(path)}
    manifest = {"record": RECORD, "schema": 1, "input": str(source), "key": key, "counts": counts, "files": files}
    (making / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _digests(manifest: Manifest | None) -> dict[str, set[str]]:
    """What our files may hold: that of the export, and where one was being replaced, that of both."""
    found: dict[str, set[str]] = {}
    for files in (manifest["files"], manifest.get("before", {})) if manifest else ():
        for name, facts in files.items():
            if Path(name).name == name:  # a manifest is a file like others: it must not lead us elsewhere
                found.setdefault(name, set()).add(str(facts["digest"]))
    return found


def _is_changed(path: Path, digests: set[str]) -> bool:
    if not os.path.lexists(path):
        return False
    return path.is_symlink() or not path.is_file() or digest_of_file(path) not in digests


def _remove(making: Path) -> None:
    """Removes what a killed export left; never a folder that holds anything else. Raises UsageError, OSError."""
    if not making.is_dir():
        return
    there = list(making.iterdir())
    if there and not (making / _MARK).exists():
        try:
            manifest = read_manifest(making)
        except UsageError:
            raise UsageError(f"{making}: in the way, and not left by an export; move it away") from None
        if any(path.name not in {*_digests(manifest), MANIFEST, "both"} for path in there):
            raise UsageError(f"{making}: in the way, and holds more than an export left; move it away")
    for path in sorted(there, key=lambda path: path.name == _MARK):  # the mark last
        path.unlink()
    making.rmdir()
