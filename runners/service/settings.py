"""What a service is started with."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

from reexec.engine.errors import UsageError

TOKEN_VARIABLE = "REEXEC_TOKEN"  # noqa: S105 - a name
MIN_TOKEN_CHARACTERS = 16
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Caps and addresses of a service. Times are in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 8317
    tokens: tuple[str, ...] = ()
    """Who knows one of them may ask. Empty: everybody on this machine may, and nobody else."""
    body_bytes: int = 16 * MIB
    """The longest request."""
    held_bytes: int = 256 * MIB
    """Requests and answers of all clients at a time."""
    calls: int = 16_384
    """Calls on their way, of all clients."""
    client_calls: int = 8_192
    """Calls on their way of one token (without tokens: of one client id)."""
    batch_calls: int = 4_096
    """Calls of one request."""
    connections: int = 2_048
    request_s: float = 600.0
    """The longest that a request may wait for its answers."""
    head_s: float = 30.0
    """How long a connection may take to ask."""
    body_s: float = 60.0
    """How long a request's body may take to come."""
    send_s: float = 60.0
    """How long a client may take nothing of its answer."""
    drain_s: float = 30.0
    """How long requests are still served after SIGTERM."""

    def __post_init__(self) -> None:
        for token in self.tokens:
            if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
                raise UsageError(
                    f"{TOKEN_VARIABLE}: a token has at least {MIN_TOKEN_CHARACTERS} printable ASCII characters; "
                    "type: openssl rand -hex 32"
                )
        if not self.tokens and not is_loopback(self.host):
            raise UsageError(
                f"--host {self.host}: other machines could run programs here; set {TOKEN_VARIABLE} "
                "(openssl rand -hex 32), or bind to 127.0.0.1"
            )
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"--port {self.port}: a port is a number from 1 to 65535, or 0 for any that is free")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost may mean anything."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def tokens_of(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The tokens in REEXEC_TOKEN; several are separated by commas. Set but empty is a mistake, not a missing token: raises
    UsageError."""
    given = environment.get(TOKEN_VARIABLE)
    if given is None:
        return ()
    tokens = tuple(token.strip() for token in given.split(",") if token.strip())
    if not tokens:
        raise UsageError(f"{TOKEN_VARIABLE} is set and holds no token; unset it, or type: openssl rand -hex 32")
    return tokens
