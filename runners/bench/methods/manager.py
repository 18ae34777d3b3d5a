"""For every check a manager, which is a process with a server in it, and a process that runs the check and tells it."""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .judged import word

TIMEOUT_S = 5
_FORK = multiprocessing.get_context("fork")


def _child(check: Mapping[str, Any], found: Any) -> None:
    names: dict[str, Any] = {"__name__": "program"}
    exec(check["source"], names)
    found.append(word(names, check["entry"], check["call"], check["expected"]))


def _one(check: Mapping[str, Any]) -> str:
    with _FORK.Manager() as manager:
        found = manager.list()
        process = _FORK.Process(target=_child, args=(check, found))
        process.start()
        process.join(TIMEOUT_S + 1)
        if process.is_alive():
            process.kill()
            process.join()
        return str(found[0]) if found else "wall-limit"


def words(checks: Sequence[Mapping[str, Any]], workers: int) -> list[str]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(_one, checks))
