"""How verl asks a sandbox, without verl: requests of the form that its client sends, many at a time, and the numbers that it
makes of the answers. Written anew after what verl 0.9.1 does; verl itself brings torch and ray.

True, False  ran, and printed what was expected, or not
-1           no answer, or the sandbox's own fault
-2           the program failed
-3           its time was over
-4           it did not compile, or a test before it did not
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

ATTEMPTS, FURTHER_S = 3, 10
THREADS = 8
"""verl has at least 32; each costs addresses."""
Result = bool | int

# For tests of a function: each line of the input is one argument as JSON, and the result is printed.
CALLER = """
import traceback
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools, operator
import io, sys, json

{program}

def __call_it():
    text = sys.stdin.read()
    try:
        arguments = [json.loads(line) for line in text.split("\\n")] if text.strip() else []
        if {name!r} in globals():
            function = globals()[{name!r}]
        else:
            function = getattr(Solution(), {name!r})
        found = function(*arguments)
    except Exception:
        sys.stderr.write("it failed: " + traceback.format_exc())
        return
    print(json.dumps(found) if found is None or isinstance(found, (dict, list, tuple, bool)) else str(found))

if __name__ == "__main__":
    __call_it()
"""


def request_of(code: str, stdin: Any, timeout: int, memory_limit_mb: int, language: str) -> dict[str, Any]:
    return {
        "compile_timeout": timeout,
        "run_timeout": timeout,
        "code": code,
        "stdin": None if stdin is None else str(stdin),
        "memory_limit_MB": memory_limit_mb,
        "language": language,
        "files": {},
        "fetch_files": [],
    }


def post(url: str, asked: dict[str, Any]) -> Any:
    """The answer, asked for again where the time at a gateway was over; None where there is none."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    patience_s = asked["compile_timeout"] + asked["run_timeout"] + FURTHER_S
    for attempt in range(ATTEMPTS):
        try:
            answer = httpx.post(url, headers=headers, content=json.dumps(asked), timeout=patience_s)
        except httpx.HTTPError:
            return None
        if answer.status_code != 504:
            return answer.json() if answer.status_code == 200 else None
        time.sleep(attempt + 1)
    return None


def result_of(answer: Any, expected: Any) -> Result:
    if answer is None or answer["status"] not in ("Success", "Failed"):
        return -1
    compiled, ran = answer["compile_result"], answer["run_result"]
    if answer["status"] == "Success":
        if not ran or ran["status"] != "Finished":
            return -1
        return expected is None or (ran["stdout"] or "").rstrip("\n") == str(expected).rstrip("\n")
    if compiled and (compiled["status"] != "Finished" or compiled["return_code"] != 0):
        return -4
    if not ran:
        return -1
    if ran["status"] == "TimeLimitExceeded":
        return -3
    return -2 if ran["status"] == "Error" or ran["return_code"] != 0 else -1


def check_correctness(
    url: str, tests: dict[str, Any], program: str, *, timeout: int = 10, memory_limit_mb: int = 1024, language: str = "python"
) -> list[Result]:
    """One result for each test: `inputs`, `outputs`, and if wanted `fn_name` or `assert_case`."""
    inputs, outputs = tests["inputs"], tests["outputs"]
    asserts = tests.get("assert_case", [""] * len(inputs))

    def one(number: int) -> Result:
        code = f"{program}\n\n{asserts[number]}"
        if tests.get("fn_name") and language == "python":
            code = CALLER.replace("{program}", code).replace("{name!r}", repr(tests["fn_name"]))
        return result_of(post(url, request_of(code, inputs[number], timeout, memory_limit_mb, language)), outputs[number])

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(one, range(len(inputs))))
    first = next((number for number, result in enumerate(found) if result is not True and result == -4), len(found))
    return [result if number <= first else -4 for number, result in enumerate(found)]
