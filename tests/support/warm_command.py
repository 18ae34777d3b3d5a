"""The command `reexec` in a process of its own, without paying for its imports each time, which are nine tenths of a short
command: a server that has them forks for every call. In the child everything is as the shell leaves it: argv, folder,
environment, descriptors.

Server: a JSON object a line on stdin ({"argv", "cwd", "env", "out", "err"}); the exit code as a line on stdout.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO


def serve() -> None:
    # Beside the commands, what they import when they print.
    import rich.console  # noqa: F401
    import typer.rich_utils  # noqa: F401

    from reexec.cli.commands import NAMES, load
    from reexec.cli.main import main

    for name in NAMES:
        load(name)

    for line in sys.stdin.buffer:
        call = json.loads(line)
        if "infer" in call["argv"][:1]:
            import reexec.runners.stages.infer.client  # with openai, most of a second  # noqa: F401
        child = os.fork()
        if child == 0:
            code = 70
            try:
                for number, name, flags in (
                    (0, os.devnull, os.O_RDONLY),
                    (1, call["out"], os.O_WRONLY),
                    (2, call["err"], os.O_WRONLY),
                ):
                    os.dup2(os.open(name, flags), number)
                os.chdir(call["cwd"])
                os.environ.clear()
                os.environ.update(call["env"])
                sys.argv = ["reexec", *call["argv"]]
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            except BaseException:
                traceback.print_exc()
                code = 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


_server: subprocess.Popen[bytes] | None = None


def call(argv: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path, timeout: float) -> int:
    """Runs the command in a fork of the server, which is started when it is first needed; the exit code."""
    global _server
    if _server is None or _server.poll() is not None:
        _server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy's threads would not survive the forks
            start_new_session=True,
        )
        atexit.register(stop)
    order = {"argv": argv, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err)}
    given, answers = _pipes(_server)
    given.write(json.dumps(order).encode() + b"\n")
    given.flush()
    if not select.select([answers], [], [], timeout)[0]:
        stop()
        raise TimeoutError(f"reexec {argv}: not done within {timeout} s")
    return int(answers.readline())


def _pipes(server: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert server.stdin is not None
    assert server.stdout is not None
    return server.stdin, server.stdout


def stop() -> None:
    global _server
    if _server is not None:
        for pipe in _pipes(_server):
            pipe.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(_server.pid, signal.SIGTERM)  # and a command that is under way, where somebody has interrupted the tests
        _server.wait(timeout=10)
        _server = None


if __name__ == "__main__":
    serve()
