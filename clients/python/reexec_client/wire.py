"""What both clients do without I/O: requests and their headers, what an answer means, when to ask again, batches."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from typing import Any, Iterable, Iterator, Optional

import httpx

from .data import Outcome, Verdict, call_to_json
from .errors import DeadlineExceededError, EngineError, ReexecError, UsageError

BATCH_CALLS = 256
BATCH_BYTES = 4 << 20
_AGAIN = (408, 429, 500, 502, 503)
_LATE_S = 10.0
"""How long past a call's own deadline the service has to say so."""


class AskAgain(Exception):
    """This answer is none; another attempt may get one."""

    def __init__(self, error: ReexecError, after_s: float) -> None:
        super().__init__(str(error))
        self.error, self.after_s = error, after_s


class TooMany(Exception):
    """The service takes fewer checks, or bytes, at once."""


class Wire:
    def __init__(self, url: Optional[str], token: Optional[str], client_id: str, retry_s: float) -> None:
        self.url = (url or os.environ.get("REEXEC_URL") or "http://127.0.0.1:8317").rstrip("/")
        token = token if token is not None else os.environ.get("REEXEC_TOKEN", "").partition(",")[0].strip()
        self.headers = {"content-type": "application/json"}
        if token:
            self.headers["authorization"] = f"Bearer {token}"
        self._client_id = client_id or f"{os.getpid()}-{os.urandom(4).hex()}"
        self.retry_s = retry_s

    def headers_of(self, group: Any) -> dict[str, str]:
        if group is None:
            return {"x-client-id": self._client_id}
        digest = hashlib.blake2b(repr(group).encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()
        return {"x-client-id": f"{self._client_id}.{digest}"}

    def request(self, method: str, path: str, body: Optional[bytes], group: Any, timeout_s: Optional[float]) -> dict[str, Any]:
        """As arguments of httpx's `request`."""
        read_s = None if timeout_s is None else timeout_s + _LATE_S
        timeout = httpx.Timeout(read_s, connect=10.0, pool=None)
        headers = {**self.headers, **self.headers_of(group)}
        return {"method": method, "url": self.url + path, "content": body, "headers": headers, "timeout": timeout}


def execute_body(program: Any, call: Any, watch_arguments: bool, watch_sources: bool, timeout_s: Optional[float]) -> bytes:
    data = {"program": program.to_json(), "call": call_to_json(call)}
    flags = {"watch_arguments": watch_arguments, "watch_sources": watch_sources}
    return _dump({**data, **{name: True for name, wanted in flags.items() if wanted}}, timeout_s)


def check_body(check: Any, timeout_s: Optional[float]) -> bytes:
    return _dump(check.to_json(), timeout_s)


def batch_body(texts: Iterable[bytes], timeout_s: Optional[float]) -> bytes:
    tail = b"" if timeout_s is None else b', "timeout_s": ' + repr(timeout_s).encode()
    return b'{"checks": [' + b", ".join(texts) + b"]" + tail + b"}"


def _dump(data: dict[str, Any], timeout_s: Optional[float]) -> bytes:
    return json.dumps(data if timeout_s is None else {**data, "timeout_s": timeout_s}).encode("ascii")


def read(response: httpx.Response) -> Any:
    """The answer. Raises AskAgain, TooMany, and what the service says is wrong."""
    if response.status_code == 200:
        try:
            return json.loads(response.content)
        except ValueError:
            raise AskAgain(EngineError(f"{response.url}: an answer that is no JSON"), 1.0) from None
    code, message = _told(response)
    status = response.status_code
    if status == 504:
        raise DeadlineExceededError(message)
    if status == 413:
        raise TooMany(message)
    if status in _AGAIN:
        try:
            after_s = float(response.headers.get("retry-after", 1))
        except ValueError:
            after_s = 1.0
        name = response.headers.get("x-request-id", "")[:64]
        known_as = f", request {name} in its log" if name else ""
        raise AskAgain(EngineError(f"{response.url}: {message} ({status} {code}{known_as})"), after_s)
    raise UsageError(f"{message} ({status} {code})")


def _told(response: httpx.Response) -> tuple[str, str]:
    try:
        error = json.loads(response.content)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", response.text[:200] or "no reason given"


def broken(error: httpx.HTTPError, url: str) -> AskAgain:
    """No answer at all: no service, a connection that broke, a service that died. Asking twice is safe."""
    return AskAgain(EngineError(f"{url}: {type(error).__name__}: {error}".rstrip(": ")), 0.5)


def outcome(data: Any) -> Outcome:
    return Outcome.from_json(data)


def verdict(data: Any) -> Verdict:
    """Of one item of a batch, or of a check. Raises what is in the place of a verdict."""
    error = data.get("error")
    if error is None:
        return Verdict.from_json(data)
    if error["code"] == "deadline-exceeded":
        raise DeadlineExceededError(error["message"])
    if error["code"] == "bad-request":
        raise UsageError(error["message"])
    raise EngineError(error["message"])


class Patience:
    """When to ask again, and when not any more."""

    def __init__(self, retry_s: float, timeout_s: Optional[float]) -> None:
        now = time.monotonic()
        self._until = now + retry_s
        self._deadline = None if timeout_s is None else now + timeout_s
        self._asked = 0

    def left_s(self) -> Optional[float]:
        """Of the caller's own timeout. Raises DeadlineExceededError where nothing is."""
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceededError("the timeout is over")
        return left

    def pause_s(self, again: AskAgain) -> float:
        """How long to wait before the next attempt. Raises the error where there is none."""
        self._asked += 1
        now = time.monotonic()
        if now >= self._until:
            raise again.error
        pause = min(max(again.after_s, 0.1 * 2 ** min(self._asked, 6)), 30.0) * random.uniform(0.7, 1.3)  # noqa: S311
        left = self.left_s()
        return float(max(0.05, min(pause, self._until - now, pause if left is None else left)))


def batches(checks: Iterable[Any]) -> Iterator[list[bytes]]:
    """Checks as JSON texts, in lists that make a request each."""
    batch: list[bytes] = []
    size = 0
    for check in checks:
        text = check_body(check, None)
        if batch and (len(batch) >= BATCH_CALLS or size + len(text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch
