"""A service on loopback that runs what it is sent with a new interpreter, and a client with a request for every test."""

import http.client
import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TIMEOUT_S = 5
_JUDGED = Path(__file__).with_name("judged.py").read_text()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    python = ""
    environment: Mapping[str, str] | None = None

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "main.py").write_text(asked["code"])
            command = [self.python, "-s", "main.py"]
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=self.environment and dict(self.environment),
                    input=asked["stdin"],
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_S,
                    check=False,
                )
                said = {"status": "Finished", "return_code": done.returncode, "stdout": done.stdout}
            except subprocess.TimeoutExpired:
                said = {"status": "TimeLimitExceeded", "return_code": None, "stdout": ""}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def words(
    checks: Sequence[Mapping[str, Any]], prelude: str, workers: int, python: str, environment: Mapping[str, str] | None
) -> list[str]:
    handler = type("Handler", (_Handler,), {"python": python, "environment": environment})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def one(check: Mapping[str, Any]) -> str:
        given = [prelude, check["source"], check["entry"], json.dumps(check["call"]), json.dumps(check["expected"])]
        body = json.dumps({"code": f"{_JUDGED}\nmain(*json.load(sys.stdin))\n", "stdin": json.dumps(given)})
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=TIMEOUT_S + 5)
        try:
            connection.request("POST", "/run_code", body, {"Content-Type": "application/json"})
            said = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if said["status"] != "Finished":
            return "wall-limit"
        return str((said["stdout"].splitlines() or ["runtime-error"])[-1])

    try:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, checks))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
