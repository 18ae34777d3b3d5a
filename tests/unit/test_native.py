"""Asking nsjail whether it finds its libraries: what takes its time, or is the host's lack, chooses no weaker isolation."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import EngineError, IsolationUnavailableError
from reexec.engine.jail import native
from reexec.engine.jail.levels import backend_of
from reexec.policies.model import IsolationLevel


@pytest.fixture(autouse=True)
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the loader's own list would show."""
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr(native, "_unpacked_libraries", lambda: None)


def program(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int = 0o755) -> Path:
    path = folder / "nsjail"
    path.write_text(text)
    path.chmod(mode)
    monkeypatch.setattr(native, "nsjail_program", lambda: path)
    return path


def test_one_that_takes_its_time_is_not_said_to_lack_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program("#!/bin/sh\nexec sleep 600\n", tmp_path, monkeypatch)
    monkeypatch.setattr(native, "LOADS_S", 0.2)
    assert native.find_nsjail() == native.Nsjail(path, None)
    assert backend_of(IsolationLevel.NSJAIL).unavailable() == ""


def test_one_that_lacks_a_library_is_told_with_the_line_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("#!/bin/sh\nexit 127\n", tmp_path, monkeypatch)
    with pytest.raises(IsolationUnavailableError, match=native.INSTALL_LINE):
        native.find_nsjail()


def test_one_that_is_no_program_cannot_isolate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("", tmp_path, monkeypatch, 0o644)
    with pytest.raises(IsolationUnavailableError, match="does not start: permission denied"):
        native.find_nsjail()


def test_a_host_that_has_no_room_for_a_process_is_no_host_without_nsjail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("#!/bin/sh\n", tmp_path, monkeypatch)

    def no_room(*_arguments: Any, **_options: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "run", no_room)
    with pytest.raises(EngineError, match="could not be started") as caught:
        native.find_nsjail()
    assert caught.value.retry_helps
    assert not isinstance(caught.value, IsolationUnavailableError)
