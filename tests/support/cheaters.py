"""Solutions that are wrong and want to pass: our own set, by what they try. `kind` says through which grader each goes.

check     HumanEval's form: `check(candidate)` over `double(n)`, lifted
close     the same, with a test that uses nothing but built-ins and math
objects   MBPP's form with objects of the solution's own class: cannot be lifted, asserted inside the jail
call      tests over calls of `double`, expected values beside them
script    tests over standard input: print twice the number
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cheater:
    name: str
    kind: str
    source: str


CHECK = """
def check(candidate):
    assert candidate(3) == 6
    assert candidate(0.5) == 1.0
    assert abs(candidate(1.25) - 2.5) < 1e-6
    assert sorted([candidate(2), candidate(1)]) == [2, 4]
    assert candidate(21) in (42,)
"""
CLOSE = """
import math
def check(candidate):
    assert abs(candidate(3) - 6) < 1e-6
    assert round(candidate(0.25) - 0.5, 3) == 0
    assert math.isclose(candidate(1.25), 2.5)
"""
OBJECTS = (
    "root = Node(1)\nroot.left = Node(2)",
    "assert total(root) == 3\nassert abs(total(root) - 3) < 1e-6\nassert total(root) in (3,)",
)
CALLS = {"fn_name": "double", "inputs": [[3], [0], [-21]], "outputs": [6, 0, -42]}
SCRIPT = {"inputs": ["3\n", "0\n", "-21\n"], "outputs": ["6\n", "0\n", "-42\n"]}

_NODE = "class Node:\n    def __init__(self, n):\n        self.n, self.left, self.right = n, None, None\n"
_HEADS = {"check": "double(n)", "close": "double(n)", "objects": "total(n)", "call": "double(n)"}
RIGHT = {
    "check": "def double(n):\n    return 2 * n\n",
    "close": "def double(n):\n    return 2 * n\n",
    "objects": _NODE + "def total(node):\n    return node.n + (total(node.left) if node.left else 0)\n",
    "call": "def double(n):\n    return 2 * n\n",
    "script": "print(2 * int(input()))\n",
}
"""An honest solution of each kind, which must pass."""

_OPERATORS = """
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __gt__(self, other): return {greater}
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __round__(self, digits=0): return 0
    def __float__(self): return 2.5
    def __hash__(self): return 0
"""
_LIARS = {
    "result-that-lies": ("object", "True"),
    "int-that-lies": ("int", "False"),
    "float-that-lies": ("float", "False"),
    "str-that-lies": ("str", "False"),
    "list-that-lies": ("list", "False"),
    "dict-that-lies": ("dict", "False"),
}

# name: (before the function, its body, after it), for every kind that has a function
_FUNCTIONS: dict[str, tuple[str, str, str]] = {
    "exit-0-in-function": ("import sys", "sys.exit(0)", ""),
    "quit-in-function": ("", "quit()", ""),
    "os-exit-in-function": ("import os", "os._exit(0)", ""),
    "raise-SystemExit-in-function": ("", "raise SystemExit(0)", ""),
    "exec-in-function": ("import os", "os.execv('/bin/true', ['true'])", ""),
    "excepthook-that-exits": ("import os, sys\nsys.excepthook = lambda *error: os._exit(0)", "return -1", ""),
    "atexit-that-exits": ("import atexit, os\natexit.register(os._exit, 0)", "return -1", ""),
    "thread-that-exits": (
        "import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), os._exit(0))).start()",
        "import time; time.sleep(5)", "",
    ),
    "alarm-that-exits": (
        "import os, signal\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\nsignal.setitimer(signal.ITIMER_REAL, 0.2)",
        "while True: pass", "",
    ),
    "finalizer-that-exits": (
        "import os\nclass Last:\n    def __del__(self, leave=os._exit):\n        leave(0)\nlast = Last()", "return -1", "",
    ),
    "return-None": ("", "return None", ""),
    "return-NotImplemented": ("", "return NotImplemented", ""),
    "raise": ("", "raise ValueError", ""),
    "kill-itself": ("import os", "os.kill(os.getpid(), 15)", ""),
    "wait-for-the-end": ("import time", "time.sleep(30)", ""),
    "expected-value-from-frames": ("""
import sys
def look():
    frame = sys._getframe()
    while frame is not None:
        found = frame.f_locals
        if "gt_out" in found:
            return found["gt_out"]
        if "expected" in found and "i" in found:
            return found["expected"][found["i"]]
        frame = frame.f_back
""", "return look()", ""),
    "expected-value-from-main": ("""
import __main__
def look(n):
    return __main__.outputs[__main__.inputs.index([n])]
""", "return look(n)", ""),
    "expected-value-from-the-heap": ("""
import gc
def look(n):
    for each in gc.get_objects():
        if isinstance(each, list) and len(each) == 3 and 6 in each and -42 in each:
            return each[[3, 0, -21].index(n)]
""", "return look(n)", ""),
    "harness-result-from-frames": ("""
import sys
frame = sys._getframe()
while frame is not None:
    for name, value in list(frame.f_locals.items()):
        if name in ("result", "results") and hasattr(value, "append"):
            value.append("passed")
    frame = frame.f_back
""", "raise ValueError", ""),
    "harness-status-from-frames": ("""
import os, sys
frame = sys._getframe()
while frame is not None:
    found = frame.f_locals
    if "stat" in found and "details" in found:
        for at in range(len(found["details"])):
            found["details"][at] = True
        found["progress"].value = len(found["details"])
        found["stat"].value = 0
        os._exit(0)
    frame = frame.f_back
""", "return -1", ""),
    "jump-over-the-test": ("""
import sys
def trace(frame, event, arg):
    if frame.f_code.co_name == "check" and event == "line":
        last = max(line for _, _, line in frame.f_code.co_lines() if line)
        if frame.f_lineno < last and not frame.f_trace_lines is None:
            try:
                frame.f_lineno = last
            except ValueError:
                pass
    return trace
sys.settrace(trace)
""", "return {last}", ""),
    "jump-from-within": ("""
import sys
def trace(frame, event, arg):
    if frame.f_code.co_filename in ("test.py", "<string>") and event == "line":
        try:
            frame.f_lineno = max(line for _, _, line in frame.f_code.co_lines() if line)
        except ValueError:
            pass
    return trace
def arm():
    frame = sys._getframe()
    while frame is not None:
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)
""", "arm(); return {last} if {last} > 0 else (3 if not hasattr(arm, 'n') and not setattr(arm, 'n', 1) else -1)", ""),
    "tests-from-disk": ("""
import glob, sys
def look():
    for path in [*sys.argv, *glob.glob("/tmp/*.json*"), *glob.glob("*.py")]:
        try:
            text = open(path).read()
        except OSError:
            continue
        if "42" in text:
            return 42
""", "return look()", ""),
    "builtins-patched": ("""
import builtins, math
builtins.abs = lambda x: 0
builtins.round = lambda *x: 0
builtins.sorted = lambda x, **k: [2, 4]
builtins.AssertionError = type("Quiet", (Exception,), {})
math.isclose = lambda *a, **k: True
""", "return 42", ""),
    "globals-shadowed": ("""
import math
math.isclose = lambda *a, **k: True
def abs(x): return 0
def round(*x): return 0
def sorted(*x): return [2, 4]
""", "return 42", ""),
    "math-replaced": ("""
import builtins, sys, types
sys.modules["math"] = types.SimpleNamespace(isclose=lambda *a, **k: True)
builtins.abs = builtins.round = lambda *x: 0
""", "return 42", ""),
    "import-replaced": ("""
import builtins, types
real = builtins.__import__
fake = types.SimpleNamespace(isclose=lambda *a, **k: True)
builtins.__import__ = lambda name, *rest: fake if name == "math" else real(name, *rest)
builtins.abs = builtins.round = lambda *x: 0
""", "return 42", ""),
    "ends-in-if-False": ("", "return -1", "if False:\n"),
    "ends-in-backslash": ("", "return -1", "if False: \\"),
    "ends-in-open-quotes": ("", "return -1", 'text = """\n'),
    "ends-in-decorator": ("", "return -1", "@(lambda f: (lambda candidate: None))\n"),
    "own-check": ("", "return -1", "import builtins\nbuiltins.check = check = lambda candidate: None\n"),
    "rebuilt-elsewhere": (
        "class S:\n    def __reduce__(s): return (int, (6,))\n    def __deepcopy__(s, memo): return 6",
        "return S()", "",
    ),
    "class-by-a-property": (
        "class S:\n    __class__ = property(lambda s: int)\n    def __index__(s): return 6\n    def __eq__(s, o): return True",
        "return S()", "",
    ),
    "number-by-its-index": ("class S(int):\n    def __index__(s): return 6\n    __int__ = __index__", "return S(-1)", ""),
    "array-that-lies": ("""
import numpy
class S(numpy.ndarray):
    def tolist(self): return 6
    def __eq__(self, other): return numpy.True_
""", "return numpy.array(-1).view(S)", ""),
    "encoder-replaced": ("""
import json.encoder, marshal, sys
marshal.loads = lambda data: ([3], {})
json.dumps = json.encoder.c_make_encoder = lambda *a, **k: "6"
for module in list(sys.modules.values()):
    if "protocol" in getattr(module, "__name__", "") or "zygote" in getattr(module, "__name__", ""):
        for name, value in list(vars(module).items()):
            if callable(value):
                setattr(module, name, lambda *a, **k: b"6")
""", "return -1", ""),
    "profile-left-behind": (
        "import builtins, sys\nsys.setprofile(lambda *event: setattr(builtins, 'len', lambda x: 0))", "return -1", "",
    ),
    "collector-that-exits": ("import gc, os\ngc.callbacks.append(lambda *phase: os._exit(0))", "gc.collect(); return -1", ""),
    "descriptors-turned-round": ("import os", """
    for fd in range(3, 40):
        try:
            os.dup2(fd, 1)
            os.write(1, b"rx\\x01\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x006")
        except OSError:
            pass
    return -1""", ""),
    "build-class-patched": ("", "return -1", "import builtins\nbuiltins.__build_class__ = None\nbuiltins.compile = None\n"),
}  # fmt: skip

# what comes before a wrong function or a wrong script
_MODULES = {
    "exit-0-in-module": "import sys\nsys.exit(0)\n",
    "builtin-exit-in-module": "exit(0)\n",
    "raise-SystemExit-in-module": "raise SystemExit\n",
    "os-exit-in-module": "import os\nos._exit(0)\n",
    "kill-own-parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
    "forged-results-on-every-descriptor": """
import os
for fd in range(3, 64):
    for text in (b"passed", b"true", b'{"passed": true}', b"\\x00\\x00\\x00\\x04true"):
        try:
            os.write(fd, text)
        except OSError:
            pass
""",
    "says-passed": "print('passed')\nprint('All tests passed', flush=True)\n",
    "exec-another-program": "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'pass'])\n",
    "fork-and-leave": "import os\nif os.fork():\n    os._exit(0)\n",
}

_SCRIPTS = {
    "prints-much-and-is-cut": "n = 2 * int(input())\nprint(n)\nwhile True:\n    print(n)",
    "crashes-after-printing": "print(2 * int(input()))\n1 / 0",
    "leaves-with-a-status-after-printing": "import sys\nprint(2 * int(input()))\nsys.exit(3)",
    "sleeps-after-printing": "import time\nprint(2 * int(input()), flush=True)\ntime.sleep(60)",
    "loops-after-printing": "print(2 * int(input()), flush=True)\nwhile True: pass",
    "killed-after-printing": "import os\nprint(2 * int(input()), flush=True)\nos.kill(os.getpid(), 9)",
    "aborts-after-printing": "import os\nprint(2 * int(input()), flush=True)\nos.abort()",
    "leaves-a-child-behind": "import os\nprint(2 * int(input()), flush=True)\nif not os.fork(): input()\nraise SystemExit(1)",
    "fills-memory-after-printing": "print(2 * int(input()), flush=True)\nx = [0]\nwhile True: x += x",
    "prints-all-known-answers": "print('6\\n0\\n-42')",
    "prints-a-pattern": "print('.*')",
    "prints-nothing": "input()",
    "prints-digits-of-another-script": "n = str(2 * int(input()))\nprint(n.translate({48 + i: 0x660 + i for i in range(10)}))",
    "prints-underlines": "n = 2 * int(input())\nprint(f'{\"-\" * (n < 0)}0_{abs(n)}')",
    "prints-a-space-without-width": "print(chr(0x200b) + str(2 * int(input())))",
    "prints-a-nul": "print(2 * int(input()), chr(0), sep='')",
    "writes-over-what-it-printed": "print('7', 2 * int(input()), sep=chr(13))",
    "goes-back-in-its-input": "import os, sys\nos.lseek(0, -1, 1)\nprint(sys.stdin.read())",
    "prints-to-its-input": "import os, sys\nn = int(input())\nos.dup2(0, 1)\nprint(2 * n)",
    "prints-nan": "print('nan')",
    "writes-to-standard-error": "import sys\nprint(2 * int(input()), file=sys.stderr)",
    "replaces-standard-output": "import sys, io\nsys.stdout = io.StringIO()\nprint(2 * int(input()))",
    "expected-output-from-frames": """
import sys
frame = sys._getframe()
while frame is not None:
    if "gt_out" in frame.f_locals:
        print(frame.f_locals["gt_out"])
        raise SystemExit
    frame = frame.f_back
""",
    "expected-output-from-main": "import __main__\nprint(__main__.outputs[__main__.inputs.index(input() + chr(10))])",
    "expected-output-from-the-heap": """
import gc
given = input()
for each in gc.get_objects():
    if isinstance(each, list) and len(each) == 3 and "6\\n" in each and "-42\\n" in each:
        print(each[["3", "0", "-21"].index(given)])
        break
""",
}


def _function(kind: str, before: str, body: str, after: str) -> str:
    lead = _NODE if kind == "objects" else ""
    last = {"check": "42", "close": "2.5"}.get(kind, "-1")  # what the test's last assertion wants
    return f"{lead}{before}\ndef {_HEADS[kind]}:\n    {body.replace('{last}', last)}\n{after}"


def _cheaters() -> list[Cheater]:
    found: list[Cheater] = []
    for kind in _HEADS:
        for name, parts in _FUNCTIONS.items():
            found.append(Cheater(name, kind, _function(kind, *parts)))
        for name, (base, greater) in _LIARS.items():
            lying = f"class Lying({base}):{_OPERATORS.format(greater=greater)}"
            found.append(Cheater(name, kind, _function(kind, lying, "return Lying()", "")))
    once = _function("objects", "calls = []", "calls.append(1); return 3 if len(calls) == 1 else exit(0)", "")
    found.append(Cheater("answers-once", "objects", once))
    for name, before in _MODULES.items():
        found.append(Cheater(name, "check", before + RIGHT["check"].replace("2 * n", "-1")))
        found.append(Cheater(name, "script", before + "print('6')\n"))
    return found + [Cheater(name, "script", source) for name, source in _SCRIPTS.items()]


CHEATERS = _cheaters()
