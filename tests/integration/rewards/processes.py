"""A trainer with reward workers, run by test_processes.py: `processes.py METHOD`, METHOD a start method of multiprocessing, or
`os.fork`. It uses the reward itself before and after its children do, and prints what everybody found as JSON."""

import asyncio
import json
import multiprocessing
import os
import sys
import threading
from typing import Any

import psutil

from reexec.rewards import Reward
from reexec.runners.rewards import executors

SOURCE = "def double(n):\n    return 2 * n\n"
TRUTH = json.dumps({"io_pred": "i", "refcode": SOURCE, "funcname": "double", "input": {"n": 5}, "output": 10})
TESTS = {"inputs": [[3]], "outputs": [6], "fn_name": "double"}
TEXTS = ['{"input": {"n": 5}}', '{"input": {"n": 6}}', f"```python\n{SOURCE}```"]
REWARD = Reward(workers=1)


def use() -> dict[str, Any]:
    found = [score.reward for score in REWARD.score_many(TEXTS, [TRUTH, TRUTH, TESTS])]
    awaited = asyncio.run(REWARD.ascore(TEXTS[0], TRUTH)).reward
    zygotes = sorted(pid for executor in executors._open.values() for pid in executor.worker_pids())
    return {"rewards": [*found, awaited], "workers": zygotes, "pid": os.getpid()}


def child(queue: Any) -> None:
    queue.put(use())


def by_multiprocessing(method: str) -> list[dict[str, Any]]:
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    children = [context.Process(target=child, args=(queue,)) for _ in range(2)]
    for each in children:
        each.start()
    found = [queue.get(timeout=90) for _ in children]
    for each in children:
        each.join(60)
        assert each.exitcode == 0, each.exitcode
    return found


def by_os_fork() -> list[dict[str, Any]]:
    """A fork while another thread holds the lock under which executors are opened; its child ends as a program does."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with executors._lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps(use()).encode())
        os.close(write)
        raise SystemExit(0)
    done.set()
    thread.join()
    os.close(write)
    with open(read, "rb") as pipe:
        found = json.loads(pipe.read())
    assert os.waitpid(pid, 0)[1] == 0
    return [found]


def main(method: str) -> None:
    before = use()
    children = by_os_fork() if method == "os.fork" else by_multiprocessing(method)
    after = use()
    left = [pid for each in children for pid in each["workers"] if psutil.pid_exists(pid)]
    print(json.dumps({"before": before, "children": children, "after": after, "left": left}))


if __name__ == "__main__":
    main(sys.argv[1])
