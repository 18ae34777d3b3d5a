"""Compiles one source in the jail, in its scratch folder. The compiler reads hostile text, so all that is said here is a claim
about this source: worth as much as printing the right answer."""

import os
import subprocess
from typing import Any, Dict, List, Tuple

MOST_MESSAGE_BYTES = 32 << 10
PIECE_BYTES = 1 << 16


def build(
    source: bytes,
    name: str,
    steps: List[List[str]],
    output: str,
    environment: Dict[str, str],
    prepared: Tuple[str, str] = ("", ""),
) -> Dict[str, Any]:
    """`{"output": bytes}`, or `{"message": text, "status": number}` of the step that failed. `prepared`: a folder ("": none),
    and where the steps find its own folders, as links, and its files, as copies."""
    if prepared[1]:
        show(*prepared)
    with open(name, "wb") as file:
        file.write(source)
    for step in steps:
        status, message = run(step, environment)
        if status:
            return {"message": message, "status": status}
    try:
        with open(output, "rb") as file:
            return {"output": file.read()}
    except FileNotFoundError:
        return {"message": "the compiler made no " + output, "status": 0}


def show(folder: str, place: str) -> None:
    os.mkdir(place)
    for name in os.listdir(folder) if folder else ():
        path, here = os.path.join(folder, name), os.path.join(place, name)
        if os.path.isdir(path):
            os.symlink(path, here)
        else:
            with open(path, "rb") as file, open(here, "wb") as copy:
                copy.write(file.read())


def run(step: List[str], environment: Dict[str, str]) -> Tuple[int, str]:
    kept, left_out = bytearray(), 0
    process = subprocess.Popen(
        step, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    with process.stdout as pipe:
        while True:
            piece = os.read(pipe.fileno(), PIECE_BYTES)
            if not piece:
                break
            room = max(0, MOST_MESSAGE_BYTES - len(kept))
            kept += piece[:room]
            left_out += len(piece) - len(piece[:room])
    status = process.wait()
    text = kept.decode("utf-8", "replace")
    return status, text + (f"\n({left_out} more bytes)" if left_out else "")
