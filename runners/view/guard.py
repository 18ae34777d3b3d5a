"""What stands in front of every page: who asks, from where, and what a browser may do with the answer. A plain ASGI application
around another one (decision 0110).

- Every address begins with a token that cannot be guessed: other users of the machine, and pages in the reader's browser, do
  not know it. It is no cookie: cookies of 127.0.0.1 go to every port there, also to other people's.
- The Host header must name an address or a name of this machine: a name that an attacker lets point here is refused.
- Pages load one style sheet of ours and nothing else, run no script, are framed by nobody and are not kept.
"""

import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), clipboard-read=(), clipboard-write=()",
}
_METHODS = ("GET", "HEAD", "POST")


def new_token() -> str:
    return secrets.token_urlsafe(32)


class Guard:
    """Passes a request on with `/TOKEN` as its root path, or answers it in one line that tells nothing."""

    def __init__(self, app: App, token: str, host: str) -> None:
        self._app, self._token = app, token.encode()
        self._names = {"localhost", host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, text = self._refusal(scope)
        if status:
            await send({"type": "http.response.start", "status": status, "headers": _headers("text/plain; charset=utf-8")})
            await send({"type": "http.response.body", "body": text.encode() + b"\n"})
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name, value) for name, value in message["headers"] if name.decode() not in HEADERS]
                message = {**message, "headers": [*given, *_headers()]}
            await send(message)

        root = f"/{self._token.decode()}"
        await self._app({**scope, "root_path": root}, receive, protected)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return 421, "This address is not served here."
        first, _, rest = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode("utf-8", "replace"), self._token) or "/" not in scope["path"][1:]:
            return 404, "There is nothing here. The whole address stands where `reexec view` was started."
        if scope["method"] not in _METHODS:
            return 405, "Pages can be read, and nothing else."
        if scope["method"] == "POST" and dict(headers).get(b"sec-fetch-site", "same-origin") != "same-origin":
            return 403, "Another page may not ask for this."
        return 0, rest

    def _is_ours(self, given: str) -> bool:
        host, _, port = given.rpartition(":") if not given.endswith("]") and ":" in given else (given, "", "")
        if port and not port.isdigit():
            return False
        host = host.lower().rstrip(".")
        if host in self._names:
            return True
        try:
            ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def _headers(content_type: str = "") -> list[tuple[bytes, bytes]]:
    found = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    return [*found, (b"content-type", content_type.encode())] if content_type else found
