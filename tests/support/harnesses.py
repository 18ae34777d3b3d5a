"""The methods of other harnesses, written anew from their descriptions, to see which cheaters each of them lets through.

    one-text      HumanEval, MBPP, CRUXEval, code_eval: solution and test are one text, executed in a forked process; it
                  passes when that ends without an exception
    exit-status   CodeI/O, MultiPL-E and many sandboxes: the same text as a program; it passes with exit status 0
    in-process    EvalPlus: the solution's function is called beside the expected values, and `out == expected`
    mocked        APPS, LiveCodeBench: the same with their names; standard input and output are replaced objects
    output-only   sandboxes that run a program and compare what it printed, whatever its exit status

None of the originals is installed here. Each run has a process of its own with a time limit, and no isolation.
"""

import json
import os
import subprocess
import sys
from typing import Any

from . import cheaters

METHODS = {
    "check": ("one-text", "exit-status", "in-process"),
    "close": ("one-text", "exit-status"),
    "objects": ("one-text", "exit-status"),
    "call": ("in-process", "mocked"),
    "script": ("mocked", "output-only"),
}
_LIMIT_S = 4

_RUNNER = r"""
import io, json, os, sys
task = json.load(sys.stdin)
method, source, test = task["method"], task["source"], task["test"]
inputs, outputs, entry = task.get("inputs"), task.get("outputs"), task.get("entry")

def one_text(result):
    program = source + "\n" + test
    try:
        exec(program, {})
        result.append("passed")
    except BaseException:
        result.append("failed")
    return result[0] == "passed"

def in_process(stat, details, progress):
    expected, space = outputs, {}
    try:
        exec(source, space)
        fn = space[entry]
        for i, inp in enumerate(inputs):
            out = fn(*inp)
            exp = expected[i]
            assert out == exp
            details[i] = True
            progress.value += 1
        stat.value = 0
    except BaseException:
        stat.value = 1

def mocked_calls(results):
    all_outputs, space = outputs, {}
    try:
        exec(source, space)
        method = space[entry]
        for gt_inp, gt_out in zip(inputs, all_outputs):
            prediction = method(*gt_inp)
            if not prediction == gt_out:
                return False
    except BaseException:
        return False
    return True

def mocked_script(results):
    all_outputs = outputs
    for gt_inp, gt_out in zip(inputs, all_outputs):
        stdin, stdout = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = io.StringIO(gt_inp), io.StringIO()
        captured = sys.stdout
        try:
            body = "".join("    " + line + "\n" for line in source.split("\n") if line)
            space = {}
            exec("def wrapped_function():\n" + body, space)
            space["wrapped_function"]()
        except SystemExit:
            pass
        except BaseException:
            return False
        finally:
            sys.stdin, sys.stdout = stdin, stdout
        if captured.getvalue().strip() != gt_out.strip():
            return False
    return True

if method == "in-process":  # what the child says is in memory that both share
    from multiprocessing.sharedctypes import RawArray, RawValue
    stat, progress, details = RawValue("i", 3), RawValue("i", 0), RawArray("b", len(inputs))
reader, writer = os.pipe()
pid = os.fork()
if not pid:
    os.close(reader)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    if method == "in-process":
        in_process(stat, details, progress)
        os._exit(0)
    run = {"one-text": one_text, "mocked": mocked_calls if entry else mocked_script}[method]
    ok = run([])
    os.write(writer, b"RIGHT" if ok else b"WRONG")
    os._exit(0)
os.close(writer)
said = os.read(reader, 100)
os.waitpid(pid, 0)
if method == "in-process":
    said = b"RIGHT" if stat.value == 0 and progress.value >= len(inputs) and all(details) else b"WRONG"
print("verdict", said == b"RIGHT")
"""


def _arguments(kind: str, method: str) -> dict[str, Any]:
    if kind == "check" and method == "in-process":
        return {"inputs": [[3], [0.5], [21]], "outputs": [6, 1.0, 42], "entry": "double", "test": ""}
    if kind == "close":
        return {"test": cheaters.CLOSE + "\ncheck(double)\n"}
    if kind == "check":
        return {"test": cheaters.CHECK + "\ncheck(double)\n"}
    if kind == "objects":
        return {"test": "\n".join(cheaters.OBJECTS) + "\n"}
    tests = cheaters.CALLS if kind == "call" else cheaters.SCRIPT
    return {"inputs": tests["inputs"], "outputs": tests["outputs"], "entry": tests.get("fn_name", ""), "test": ""}


def lets_through(method: str, kind: str, source: str) -> bool:
    """Whether the method's harness counts the solution as right."""
    arguments = _arguments(kind, method)
    if method == "exit-status":
        return _run([sys.executable, "-I", "-c", f"{source}\n{arguments['test']}"], "")[0] == 0
    if method == "output-only":
        pairs = zip(arguments["inputs"], arguments["outputs"], strict=True)
        return all(_run([sys.executable, "-I", "-c", source], given)[1].strip() == wanted.strip() for given, wanted in pairs)
    task = json.dumps({"method": method, "source": source, **arguments})
    return "verdict True" in _run([sys.executable, "-I", "-c", _RUNNER], task)[1]


def _run(command: list[str], given: str) -> tuple[int, str]:
    """(exit status, standard output) of a process whose parent is a shell that may be killed in our place."""
    limits = f"ulimit -t {_LIMIT_S} -v 2000000"  # of all that it starts, whatever becomes of us
    shell = ["/bin/sh", "-c", f'{limits}; "$@"; exit $?', "sh", *command]
    process = subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/"
    )
    try:
        out, _ = process.communicate(given.encode(), timeout=_LIMIT_S)
    except subprocess.TimeoutExpired as limit:
        out = limit.output or b""
    finally:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
        process.wait()
    return process.returncode, out[: 1 << 20].decode("utf-8", "replace")
