"""Solutions that are wrong and want to pass: our own set, by what they try. `kind` says through which grader each goes.

check     HumanEval's form: `check(candidate)` over `double(n)`, lifted
objects   MBPP's form with objects of the solution's own class: cannot be lifted, asserted inside the jail
call      tests over calls of `double`, expected values beside them
script    tests over standard input: print twice the number
"""

from dataclasses import dataclass
from textwrap import dedent


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
OBJECTS = (
    "root = Node(1)\nroot.left = Node(2)",
    "assert total(root) == 3\nassert abs(total(root) - 3) < 1e-6\nassert total(root) in (3,)",
)
CALLS = {"fn_name": "double", "inputs": [[3], [0], [-21]], "outputs": [6, 0, -42]}
SCRIPT = {"inputs": ["3\n", "0\n", "-21\n"], "outputs": ["6\n", "0\n", "-42\n"]}
NODE = "class Node:\n    def __init__(self, n):\n        self.n, self.left, self.right = n, None, None\n"

RIGHT = {
    "check": "def double(n):\n    return 2 * n\n",
    "objects": NODE + "def total(node):\n    return node.n + (total(node.left) if node.left else 0)\n",
    "call": "def double(n):\n    return 2 * n\n",
    "script": "print(2 * int(input()))\n",
}
"""An honest solution of each kind, which must pass."""

_LIAR = """
class Liar:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __gt__(self, other): return True
    def __le__(self, other): return True
    def __ge__(self, other): return True
    def __sub__(self, other): return 0
    def __rsub__(self, other): return 0
    def __abs__(self): return 0
    def __hash__(self): return 0
    def __bool__(self): return True
"""
_SUBCLASS = """
class Lying{name}({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __gt__(self, other): return False
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __hash__(self): return 0
"""

_ANY = {
    "exit-0-in-module": "import sys\nsys.exit(0)\n",
    "builtin-exit-in-module": "exit(0)\n",
    "raise-SystemExit-in-module": "raise SystemExit\n",
    "os-exit-in-module": "import os\nos._exit(0)\n",
    "kill-own-parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
    "forged-results-on-every-descriptor": dedent("""
        import os
        for fd in range(3, 64):
            for text in (b"passed", b"true", b'{"passed": true}', b"\\x00\\x00\\x00\\x04true"):
                try:
                    os.write(fd, text)
                except OSError:
                    pass
        """),
    "says-passed": "print('passed')\nprint('All tests passed', flush=True)\n",
    "exec-another-program": "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'pass'])\n",
    "fork-and-leave": "import os\nif os.fork():\n    os._exit(0)\n",
}
_IN_FUNCTION = {
    "exit-0": "import sys; sys.exit(0)",
    "os-exit": "import os; os._exit(0)",
    "raise-SystemExit": "raise SystemExit(0)",
    "kill-itself": "import os; os.kill(os.getpid(), 15)",
    "return-None": "return None",
    "raise": "raise ValueError",
    "not-implemented": "return NotImplemented",
    "wait-for-the-end": "import time; time.sleep(30)",
}
_ARGUMENT = {"check": "double(n)", "objects": "total(n)", "call": "double(n)"}


def _function(kind: str, body: str, before: str = "", after: str = "") -> str:
    lead = NODE if kind == "objects" else ""
    return f"{lead}{before}\ndef {_ARGUMENT[kind]}:\n    {body}\n{after}"


def _cheaters() -> list[Cheater]:
    found: list[Cheater] = []
    for kind in ("check", "objects", "call"):
        entry = _ARGUMENT[kind].partition("(")[0]
        for name, body in _IN_FUNCTION.items():
            found.append(Cheater(f"{name}-in-function", kind, _function(kind, body)))
        found.append(Cheater("result-that-lies", kind, _function(kind, "return Liar()", _LIAR)))
        for base in ("int", "float", "str", "list", "dict"):
            lying = _SUBCLASS.format(name=base.title(), base=base)
            found.append(
                Cheater(f"subclass-of-{base}-that-lies", kind, _function(kind, f"return Lying{base.title()}()", lying))
            )
        found.append(
            Cheater(
                "patched-builtins",
                kind,
                _function(
                    kind,
                    "return -1",
                    dedent("""
            import builtins, math, operator
            builtins.abs = lambda x: 0
            builtins.sorted = lambda x, **k: [2, 4]
            builtins.len = lambda x: 0
            builtins.AssertionError = type("Quiet", (Exception,), {})
            math.isclose = lambda *a, **k: True
            operator.eq = lambda a, b: True
            """),
                ),
            )
        )
        found.append(
            Cheater(
                "expected-value-from-frames",
                kind,
                _function(
                    kind,
                    "return look()",
                    dedent("""
            import sys
            def look():
                frame = sys._getframe()
                while frame is not None:
                    for name in ("expected", "exp", "outputs", "all_outputs", "gt_out", "want", "answer"):
                        if name in frame.f_locals:
                            value = frame.f_locals[name]
                            return value[0] if isinstance(value, (list, tuple)) else value
                    frame = frame.f_back
            """),
                ),
            )
        )
        found.append(
            Cheater(
                "harness-result-from-frames",
                kind,
                _function(
                    kind,
                    "raise ValueError",
                    dedent("""
            import sys
            frame = sys._getframe()
            while frame is not None:
                for name, value in list(frame.f_locals.items()):
                    if name in ("result", "results", "details", "stat") and hasattr(value, "append"):
                        value.append("passed")
                frame = frame.f_back
            """),
                ),
            )
        )
        found.append(
            Cheater(
                "expected-value-from-the-heap",
                kind,
                _function(
                    kind,
                    "return look(n)",
                    dedent("""
            import gc
            def look(n):
                for each in gc.get_objects():
                    if isinstance(each, list) and len(each) == 3 and 6 in each and -42 in each:
                        return each[[3, 0, -21].index(n)]
            """),
                ),
            )
        )
        found.append(
            Cheater(
                "tests-from-disk",
                kind,
                _function(
                    kind,
                    "return look(n)",
                    dedent("""
            import glob, sys
            def look(n):
                for path in [*sys.argv, __file__, *glob.glob("/tmp/**/*.json*", recursive=True), *glob.glob("*.py")]:
                    try:
                        text = open(path).read()
                    except OSError:
                        continue
                    if "42" in text:
                        return 42
            """),
                ),
            )
        )
        found.append(Cheater("ends-in-if-False", kind, _function(kind, "return -1", after="if False:\n")))
        found.append(Cheater("ends-in-backslash", kind, _function(kind, "return -1", after="if False: \\")))
        found.append(Cheater("ends-in-open-quotes", kind, _function(kind, "return -1", after='text = """\n')))
        found.append(
            Cheater("ends-in-decorator", kind, _function(kind, "return -1", after="@(lambda f: (lambda candidate: None))\n"))
        )
        found.append(
            Cheater(
                "own-check",
                kind,
                _function(
                    kind,
                    "return -1",
                    after=dedent(f"""
            def check(candidate): pass
            class Quiet(dict):
                def __setitem__(self, key, value):
                    if key not in ("check", "{entry}"):
                        dict.__setitem__(self, key, value)
            import builtins
            builtins.check = check
            """),
                ),
            )
        )
        found.append(
            Cheater(
                "tracing-that-skips",
                kind,
                _function(
                    kind,
                    "return -1",
                    after=dedent("""
            import sys
            def trace(frame, event, arg):
                frame.f_trace_lines = False
                return None
            sys.settrace(trace)
            """),
                ),
            )
        )
        if kind == "objects":  # elsewhere each call has a process of its own, and the first answer is the only one
            found.append(
                Cheater(
                    "answers-after-the-first",
                    kind,
                    _function(
                        kind,
                        "calls.append(n); return 2 * n if len(calls) == 1 and not hasattr(n, 'n') else exit(0)",
                        "calls = []",
                    ),
                )
            )
    for name, source in _ANY.items():
        found.append(Cheater(name, "check", source + RIGHT["check"].replace("2 * n", "-1")))
        found.append(Cheater(name, "script", source + "print('6')\n"))
    scripts = {
        "prints-much-and-is-cut": "import sys\nn = 2 * int(input())\nprint(n)\nwhile True:\n    print(n)",
        "crashes-after-printing": "print(2 * int(input()))\n1 / 0",
        "leaves-with-a-status-after-printing": "import sys\nprint(2 * int(input()))\nsys.exit(3)",
        "sleeps-after-printing": "import time\nprint(2 * int(input()), flush=True)\ntime.sleep(60)",
        "loops-after-printing": "print(2 * int(input()), flush=True)\nwhile True: pass",
        "prints-all-known-answers": "print('6\\n0\\n-42')",
        "prints-a-pattern": "print('.*')",
        "prints-nothing": "input()",
        "prints-nan": "print('nan')",
        "expected-output-from-frames": dedent("""
            import sys
            frame = sys._getframe()
            while frame is not None:
                for name in ("expected", "gt_out", "all_outputs", "outputs", "want"):
                    if name in frame.f_locals:
                        value = frame.f_locals[name]
                        print(value if isinstance(value, str) else value[0])
                        raise SystemExit
                frame = frame.f_back
            """),
        "writes-to-standard-error": "import sys\nprint(2 * int(input()), file=sys.stderr)",
        "replaces-standard-output": "import sys, io\nsys.stdout = io.StringIO()\nprint(2 * int(input()))",
    }  # fmt: skip
    found += [Cheater(name, "script", source) for name, source in scripts.items()]
    return found


CHEATERS = _cheaters()
