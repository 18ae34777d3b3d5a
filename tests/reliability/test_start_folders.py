"""Temporary folders of workers whose host was killed while they started are swept by the next process, and no others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

MAKER = "from reexec.engine.jail.folders import StartFolder; folder = StartFolder(); print(folder.path, flush=True); input()"


def maker(where: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(where)},
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_host_left_is_swept_and_what_a_living_one_holds_is_not(tmp_path: Path) -> None:
    (killed, left), (living, held) = maker(tmp_path), maker(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    foreign, link, young = (tmp_path / f"reexec-{name}" for name in ("suite-x", "worker-link", "worker-young"))
    foreign.mkdir()
    link.symlink_to(tmp_path)
    young.mkdir()
    (left / "jail.cfg").write_text("x")
    for path in (left, held, foreign):
        os.utime(path, (0, 0))  # as if made long ago
    os.utime(link, (0, 0), follow_symlinks=False)
    sweeper, own = maker(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in (held, foreign, link, young, own))
    for process in (living, sweeper):
        process.communicate("\n")
    if os.geteuid() == 0:
        os.utime(held, (0, 0))
        os.chown(held, 12345, 12345)
        other, _ = maker(tmp_path)
        assert held.exists(), "a folder of another user's"
        other.communicate("\n")
