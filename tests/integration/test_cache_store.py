"""The cache's file: what was kept comes back whole or not at all, whatever happens to the process, the disk or the file."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reexec.engine.cache import CacheUnusableError, OutcomeCache, health, store
from reexec.engine.cache.store import clear, default_folder
from tests.conftest import ROOT, lacking


def key(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=32).digest()


def body(number: int) -> bytes:
    return b"%d:" % number + hashlib.sha512(b"%d" % number).digest() * (number % 7)


WRITER = """
import sys
from pathlib import Path
from reexec.engine.cache import OutcomeCache
from tests.integration.test_cache_store import body, key

first, count = int(sys.argv[2]), int(sys.argv[3])
with OutcomeCache(Path(sys.argv[1])) as cache:
    print("open", flush=True)
    for number in range(first, first + count):
        cache.put(key(number), body(number))
"""


def start_writer(folder: Path, first: int, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first), str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "open\n"
    return process


def kept(folder: Path, numbers: range) -> int:
    """How many are there; each is as it was written."""
    with OutcomeCache(folder) as cache:
        found = {number: cache.get(key(number)) for number in numbers}
    for number, value in found.items():
        assert value is None or value == body(number)
    return sum(value is not None for value in found.values())


def test_what_was_kept_is_there_at_once_and_in_the_next_process(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        cache.put(key(1), body(1))
        assert cache.get(key(1)) == body(1)
        assert cache.get(key(2)) is None
        assert (cache.hits, cache.misses) == (1, 1)
    process = start_writer(tmp_path, 10, 5000)
    assert process.wait(60) == 0
    assert kept(tmp_path, range(10, 5010)) == 5000
    assert kept(tmp_path, range(1, 2)) == 1


@pytest.mark.parametrize("commit_s", [0.0, 3600.0])
def test_what_is_kept_again_takes_the_place_of_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit_s: float
) -> None:
    monkeypatch.setattr(store, "COMMIT_S", commit_s)  # each on disk at once, or all at the end
    with OutcomeCache(tmp_path) as cache:
        for number in (1, 6, 2, 5):
            cache.put(key(1), body(number))
            assert cache.get(key(1)) == body(number)
        once = cache.statistics()
    with OutcomeCache(tmp_path) as cache:
        assert cache.get(key(1)) == body(5)
        cache.put(key(1), body(5))
        assert (cache.statistics().entries, cache.statistics().bytes) == (once.entries, once.bytes) == (1, once.bytes), (
            "bytes are counted once"
        )
        assert cache.prune(0) == 1
        assert cache.statistics().bytes == 0


def test_a_value_of_another_key_is_no_value(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        cache.put(key(1), body(1))
        cache._waiting[key(2)] = cache._waiting[key(1)]
        assert cache.get(key(1)) == body(1)
        assert cache.get(key(2)) is None


def test_a_value_of_a_mebibyte_is_kept_and_a_longer_one_is_not(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        cache.put(key(1), bytes(1 << 20))
        cache.put(key(2), bytes((1 << 20) + 1))
        assert cache.get(key(1)) == bytes(1 << 20)
        assert cache.get(key(2)) is None


def test_a_file_counts_as_closed_only_as_its_last_user_left_it(tmp_path: Path) -> None:
    assert not health.was_closed(tmp_path)
    with OutcomeCache(tmp_path) as cache:
        cache.put(key(1), body(1))
    assert health.was_closed(tmp_path)
    whole = (tmp_path / health.DATA).read_bytes()
    with OutcomeCache(tmp_path) as cache:
        assert cache.get(key(1)) == body(1)
    assert health.was_closed(tmp_path)
    (tmp_path / health.DATA).write_bytes(whole)  # another time, and so perhaps another content
    assert not health.was_closed(tmp_path)
    (tmp_path / health.DATA).write_bytes(whole + bytes(4096))
    assert not health.was_closed(tmp_path)


def test_kill_9_at_any_moment_leaves_a_file_of_whole_values(tmp_path: Path) -> None:
    chance = random.Random(7)
    for turn in range(5):
        process = start_writer(tmp_path, turn * 100_000, 100_000)
        time.sleep(chance.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        kept(tmp_path, range(turn * 100_000, turn * 100_000 + 3000))


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, 0, 6000), start_writer(tmp_path, 3000, 6000)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert kept(tmp_path, range(9000)) == 9000


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.99])
def test_a_truncated_file_is_one_clear_line_and_never_a_crash(tmp_path: Path, keep: float) -> None:
    start_writer(tmp_path, 0, 5000).wait(60)
    path = tmp_path / health.DATA
    os.truncate(path, max(100, int(path.stat().st_size * keep)))
    with pytest.raises(CacheUnusableError, match=r"data\.mdb: damaged .*`reexec cache clear --cache ") as caught:
        OutcomeCache(tmp_path)
    assert "\n" not in str(caught.value)
    clear(tmp_path)
    with OutcomeCache(tmp_path) as cache:
        assert cache.get(key(1)) is None


def test_a_file_that_lacks_its_last_page_is_refused_before_it_is_mapped(tmp_path: Path) -> None:
    start_writer(tmp_path, 0, 500).wait(60)
    health.refuse_truncated(tmp_path)
    path = tmp_path / health.DATA
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(CacheUnusableError, match="shorter than it was"):
        health.refuse_truncated(tmp_path)


def test_damaged_pages_give_no_wrong_value(tmp_path: Path) -> None:
    start_writer(tmp_path, 0, 3000).wait(60)
    path = tmp_path / health.DATA
    whole = path.read_bytes()
    chance = random.Random(11)
    refused = 0
    for _ in range(12):
        spoiled = bytearray(whole)
        for _ in range(chance.choice([1, 20, 400])):
            spoiled[chance.randrange(8192, len(spoiled))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoiled)
        try:
            kept(tmp_path, range(3000))
        except CacheUnusableError:
            refused += 1
    assert refused < 12


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / health.DATA).write_bytes(b"SQLite format 3\0" * 2000)
    with pytest.raises(CacheUnusableError, match="not a cache file"):
        OutcomeCache(tmp_path)


def test_a_full_disk_ends_the_writing_and_not_the_run(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], capture_output=True, check=False
    ).returncode:
        lacking("mounting a tmpfs")
    try:
        with OutcomeCache(small / "cache") as cache:
            for number in range(20_000):
                cache.put(key(number), body(number))
            assert "no space left" in cache.warning
            for number in range(20_000):
                assert cache.get(key(number)) in (None, body(number))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_at_its_cap_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path, max_bytes=64 << 20) as cache:
        for number in range(20_000):
            cache.put(key(number), body(number) * 40)
        assert not cache.warning
        assert cache.statistics().bytes <= 32 << 20
        assert all(cache.get(key(number)) == body(number) * 40 for number in range(19_000, 20_000))
        assert (tmp_path / health.DATA).stat().st_size <= 64 << 20
    with OutcomeCache(tmp_path, max_bytes=64 << 20) as cache:
        assert cache.statistics().entries < 20_000


def test_prune_keeps_what_was_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_writer(tmp_path, 0, 5000).wait(60)
    later = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)
    with OutcomeCache(tmp_path) as cache:
        for number in range(4900, 5000):
            assert cache.get(key(number)) == body(number)
    with OutcomeCache(tmp_path) as cache:
        before = cache.statistics()
        assert cache.prune(before.bytes // 3) > 2000
        assert cache.statistics().bytes <= before.bytes // 3
        assert all(cache.get(key(number)) == body(number) for number in range(4900, 5000))


def test_a_forked_child_reads_and_writes_nothing(tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        cache.put(key(1), body(1))
        pid = os.fork()
        if not pid:
            store.COMMIT_S = 0.0
            found = cache.get(key(1))
            cache.put(key(2), body(2))
            cache.close()
            os._exit(0 if found is None else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert cache.get(key(1)) == body(1)
    assert kept(tmp_path, range(2, 3)) == 0


def test_a_network_file_system_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "file_system_of", lambda _: "nfs4")
    with pytest.raises(CacheUnusableError, match="on a network file system"):
        OutcomeCache(tmp_path)


def test_the_file_system_of_a_folder_is_the_kernels_word(tmp_path: Path) -> None:
    assert health.file_system_of(Path("/proc/self")) == "proc"
    assert health.file_system_of(tmp_path) not in ("", "proc")


def test_clear_removes_the_caches_own_files_only(tmp_path: Path) -> None:
    start_writer(tmp_path, 0, 100).wait(60)
    (tmp_path / "mine.txt").write_text("kept")
    assert clear(tmp_path) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REEXEC_CACHE", "/somewhere/else")
    assert default_folder() == Path("/somewhere/else")
