"""Where requests go and with which key.

The key comes from the environment and is held in one object, which never shows it: not in repr, not in a message, not in a
record. Its `clean` takes it out of every text that came from a server, because servers quote what they were sent.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from reexec.engine.errors import UsageError

from .known import Known, KnownEndpoint

_LOOPBACK = re.compile(r"^(localhost|127(\.\d+){3}|\[::1\])$")
NO_KEY = "none"
"""Sent where a server wants no key: the openai client insists on one."""


class Secret(SecretStr):
    """A key; None where a server wants none. Short ones are placeholders ("EMPTY"), which texts may well hold."""

    def __init__(self, value: str | None) -> None:
        super().__init__(value or "")

    def __reduce__(self) -> str:
        raise TypeError("a key is not to be stored")

    def reveal(self) -> str:
        """For the client that sends it, and nobody else."""
        return self.get_secret_value() or NO_KEY

    def clean(self, text: str) -> str:
        value = self.get_secret_value()
        return text if len(value) < 8 else text.replace(value, "[key]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    base_url: str
    key_env: str | None
    """The name of the variable that holds the key."""
    secret: Secret = field(repr=False)
    max_tokens_field: str = "max_tokens"
    temperature: bool = True


def find_endpoint(
    model: str,
    known: Known,
    *,
    base_url: str | None = None,
    key_env: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Raises UsageError where no base URL is known or the key is missing."""
    environment = os.environ if environment is None else environment
    by_model = known.of_model(model)
    host: KnownEndpoint | None
    if base_url is None:
        if by_model is None:
            raise UsageError(f"{model}: not a known model; say where it is served with --base-url")
        base_url, host = by_model.base_url, by_model
    else:
        base_url = _checked(base_url)
        host = known.of_host(base_url)
    name = key_env or (host.key_env if host else _default_key(base_url, environment))
    value = environment.get(name, "").strip() if name else ""
    if name and not value:
        raise UsageError(f"{name}: not set; the key for {base_url} is read from this variable (--key-env names another)")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise UsageError(f"{name}: holds characters that no key has; set it anew")
    same_host = by_model is not None and host is not None and by_model.host == host.host
    flags = by_model if same_host else None
    return Endpoint(
        base_url=base_url,
        key_env=name,
        secret=Secret(value or None),
        max_tokens_field=flags.max_tokens_field if flags else "max_tokens",
        temperature=flags.temperature if flags else True,
    )


def _default_key(base_url: str, environment: Mapping[str, str]) -> str | None:
    """Servers that nobody knows get the usual variable's key where there is one, and never in clear text over a network."""
    parts = urlsplit(base_url)
    private = parts.scheme == "https" or is_loopback(base_url)
    return "OPENAI_API_KEY" if private and environment.get("OPENAI_API_KEY", "").strip() else None


def is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).netloc.rpartition("@")[2]
    return _LOOPBACK.match(re.sub(r":\d+$", "", host)) is not None


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise UsageError("--base-url: not a URL; expected one such as http://127.0.0.1:8000/v1") from None
    if parts.username is not None or parts.password is not None or parts.query:
        # It would be in the manifest and in the list of processes. The URL is not quoted for the same reason.
        raise UsageError("--base-url: holds a name, a password or a query; a key comes from the environment (--key-env)")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(f"--base-url {base_url}: not a URL; expected one such as http://127.0.0.1:8000/v1")
    return base_url.rstrip("/").removesuffix("/chat/completions").rstrip("/")  # the whole address is often what a page shows
