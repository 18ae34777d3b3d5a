"""A process for every sample: the program with all of its tests, up to the first that fails, and one word for all of them."""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .judged import word

TIMEOUT_S = 5
_FORK = multiprocessing.get_context("fork")


def _child(sample: Sequence[Mapping[str, Any]], pipe: Any) -> None:
    names: dict[str, Any] = {"__name__": "program"}
    exec(sample[0]["source"], names)
    found = "accepted"
    for test in sample:
        found = word(names, test["entry"], test["call"], test["expected"])
        if found != "accepted":
            break
    pipe.send(found)


def _one(sample: Sequence[Mapping[str, Any]]) -> str:
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_child, args=(sample, theirs))
    process.start()
    theirs.close()
    found = ours.recv() if ours.poll(TIMEOUT_S) else "wall-limit"
    process.kill()
    process.join()
    ours.close()
    return str(found)


def words(samples: Sequence[Sequence[Mapping[str, Any]]], workers: int) -> list[str]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(_one, samples))
