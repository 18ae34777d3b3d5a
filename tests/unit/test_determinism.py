"""The shifted clock and the seeded entropy by themselves, in a process of their own that they may spoil."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PRELUDE = """
import time, datetime, os, random, sys
now, began = time.time(), time.monotonic()
from reexec.engine.zygote import determinism
from types import SimpleNamespace
def install(shift=0, seed=None):
    determinism.install(SimpleNamespace(clock_shift_s=shift, entropy_seed=seed))
SHIFT = 400_000_000
def near(value, wanted, within=60):
    assert abs(value - wanted) < within, (value, wanted)
"""


def run(source: str) -> str:
    environment = {"PYTHONPATH": str(Path(ROOT) / "src"), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + source], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_clock_is_ahead_and_conversions_of_a_given_time_are_not() -> None:
    run(
        """
kind = datetime.datetime
install(SHIFT)
near(time.time(), now + SHIFT); near(time.time_ns() / 1e9, now + SHIFT); near(time.monotonic(), began + SHIFT)
near(time.clock_gettime(time.CLOCK_REALTIME), now + SHIFT)
near(time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9, began + SHIFT)
near(time.mktime(time.localtime()), now + SHIFT); near(time.mktime(time.gmtime()), now + SHIFT)
assert time.ctime()[-4:] == time.asctime()[-4:] == time.strftime("%Y") == str(time.gmtime(now + SHIFT).tm_year)
near(datetime.datetime.now().timestamp(), now + SHIFT)
near(datetime.datetime.utcnow().timestamp(), now + SHIFT)
near(datetime.datetime.now(datetime.timezone.utc).timestamp(), now + SHIFT)
assert datetime.date.today().year == datetime.datetime.today().year == time.gmtime(now + SHIFT).tm_year
assert datetime.datetime is kind and type(datetime.datetime.now()) is kind
class Own(datetime.datetime): pass
assert type(Own.now()) is Own
assert time.gmtime(0).tm_year == 1970 and time.localtime(86400)[:3] == (1970, 1, 2)
assert time.ctime(0) == "Thu Jan  1 00:00:00 1970" and time.strftime("%Y", time.gmtime(0)) == "1970"
assert time.asctime(time.gmtime(0)) == time.ctime(0)
assert kind.fromtimestamp(0).year == 1970
"""
    )


def test_each_reading_moves_a_clock_on_so_that_elapsed_time_shows() -> None:
    run(
        """
install(SHIFT)
for read in (time.time, time.perf_counter, time.process_time):
    first = read()
    assert round(read() - first, 1) > 0.1, read
elapsed = []
for _ in range(50):  # another process may have the processor between any two
    first = time.monotonic()
    elapsed.append(time.monotonic() - first)
assert 0 < min(elapsed) < 0.1
assert time.time() * 1e9 < time.time_ns()
"""
    )


def test_waiting_takes_the_time_it_takes() -> None:
    run(
        """
import asyncio, queue, threading
install(SHIFT)
time.sleep(0.01)
asyncio.run(asyncio.wait_for(asyncio.sleep(0.02), 5))
lock = threading.Lock(); lock.acquire()
assert not lock.acquire(timeout=0.02)
try:
    queue.Queue().get(timeout=0.02)
    raise SystemExit("something was there")
except queue.Empty:
    pass
"""
    )


def test_a_clock_that_is_not_shifted_is_the_hosts() -> None:
    run(
        "real = time.time\ninstall()\nassert time.time is real\n"
        "assert type(datetime.datetime.__dict__['now']).__name__ == 'classmethod_descriptor'\n"
    )


ENTROPY = """
install(0, {seed})
import secrets, uuid, tempfile
draws = [os.urandom(5), random.Random().random(), secrets.token_hex(4), str(uuid.uuid4()), random.SystemRandom().random()]
if hasattr(os, "getrandom"):
    draws.append(os.getrandom(3))
random.seed(); draws.append(random.random())
import numpy
draws += [float(numpy.random.default_rng().random()), float(numpy.random.RandomState().random_sample())]
print(draws)
"""


def test_all_entropy_is_a_stream_of_the_seed() -> None:
    assert run(ENTROPY.format(seed=7)) == run(ENTROPY.format(seed=7)) != run(ENTROPY.format(seed=8))


def test_explicit_seeds_mean_what_they_did() -> None:
    run(
        """
wanted = [random.Random(seed).random() for seed in (5, "text", b"bytes", 2.5)]
random.seed(3); wanted.append(random.random())
install(0, 1)
found = [random.Random(seed).random() for seed in (5, "text", b"bytes", 2.5)]
random.seed(3); found.append(random.random())
assert found == wanted
assert os.urandom(0) == b"" and len(os.urandom(33)) == 33
try:
    os.urandom(-1)
    raise SystemExit("a negative size")
except ValueError:
    pass
"""
    )


def test_a_shared_stream_is_the_same_under_every_seed_and_can_be_seeded_again() -> None:
    source = (
        "install(0, {seed})\ndeterminism.share_entropy()\nfirst = os.urandom(4)\n"
        "os.urandom.reseed('x:1')\nprint(first, os.urandom(4))\n"
    )
    assert run(source.format(seed=1)) == run(source.format(seed=2))
    run("determinism.share_entropy()\nassert not hasattr(os.urandom, 'reseed')\n")
