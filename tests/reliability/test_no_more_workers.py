"""Where a host has no room for one more worker, those that run do the work."""

import json
import subprocess
import sys

from tests.conftest import ROOT

HOST = """
import json, os, resource
from reexec import Check, Executor, Program, load_policy
policy = load_policy("codeio", settings=["limits.cpu_s=5", "limits.idle_s=2", "limits.memory_bytes=64MiB"])
plain = Program("def f(n):\\n    return n + 1", "f")
warm = Program("import numpy\\ndef f(n):\\n    return int(numpy.int64(n) + 1)", "f")
with Executor(policy, workers=4) as executor:
    executor.check(plain, [0], 1)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 8, hard))
    checks = [Check(warm if n % 50 > 40 else plain, [n], n + 1, id=n) for n in range(400)]
    words = [(verdict.id, verdict.word) for verdict in executor.check_many(checks)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    statistics = executor.statistics()
print(json.dumps([words, statistics.engine_errors]))
"""


def test_a_host_without_room_for_another_worker_goes_on_with_those_it_has() -> None:
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    words, engine_errors = json.loads(done.stdout)
    assert words == [[n, "accepted"] for n in range(400)]
    assert engine_errors == 0
