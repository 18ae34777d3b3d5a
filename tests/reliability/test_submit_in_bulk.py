"""`submit` never waits: what a caller hands over costs the caller's memory, some KB a call. Where that ends the caller is told,
and every call that was taken has its answer."""

import json
import subprocess
import sys

PROGRAM = """
import gc, json, resource, sys
from reexec import Executor, Program
from tests.support import limited_host
if limited_host.is_limited():
    limited_host.adapt()
f = Program("def f(n):\\n    return n + 1", "f")
g = Program("def g(text, n):\\n    return n + 1", "g")

def pages(at):
    return int(open("/proc/self/statm").read().split()[at]) * resource.getpagesize()

executor = Executor("codeio", workers=1)
executor.submit(f, [0]).result()
gc.collect()
before = pages(1)
calls = [executor.submit(f, [n]) for n in range(2000)]
cost = (pages(1) - before) / len(calls)
for call in calls:
    call.cancel()
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages(0) + (4 << 20), hard))
more, told = [], ""
try:
    while len(more) < 2000:
        more.append(executor.submit(g, ["x" * 60_000, len(more)]))
except MemoryError as error:
    told = type(error).__name__
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
right = sum(call.result(timeout=200).value == n + 1 for n, call in enumerate(more))
alive = executor.submit(f, [1]).result(timeout=200).value
print(json.dumps({"cost": cost, "more": len(more), "right": right, "told": told, "alive": alive}))
executor.shutdown()
"""


def test_calls_cost_some_kb_each_and_none_of_them_is_lost_where_memory_ends() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=280, check=True)
    said = json.loads(done.stdout)
    assert said["cost"] < 8000
    assert said["told"] == "MemoryError"
    assert 0 < said["more"] < 2000
    assert (said["right"], said["alive"]) == (said["more"], 2)
