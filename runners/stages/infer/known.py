"""Known endpoints as data: known.toml, and a file of the user's with the same shape before it."""

import fnmatch
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reexec.engine.errors import UsageError

_OWN = Path(__file__).with_name("known.toml")


class KnownEndpoint(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    base_url: str
    key_env: str | None = None
    models: tuple[str, ...] = ()
    max_tokens_field: str = "max_tokens"
    temperature: bool = True
    """Whether its models take one."""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc.lower()


class Price(BaseModel):
    """Per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    price_in: float = Field(ge=0)
    price_out: float = Field(ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    endpoint: tuple[KnownEndpoint, ...] = ()
    price: dict[str, Price] = {}


@dataclass(frozen=True, slots=True)
class Known:
    endpoints: tuple[KnownEndpoint, ...]
    prices: dict[str, Price]

    def of_model(self, model: str) -> KnownEndpoint | None:
        for endpoint in self.endpoints:
            if any(fnmatch.fnmatchcase(model, pattern) for pattern in endpoint.models):
                return endpoint
        return None

    def of_host(self, base_url: str) -> KnownEndpoint | None:
        host = urlsplit(base_url).netloc.lower()
        return next((endpoint for endpoint in self.endpoints if endpoint.host == host), None)

    def price_of(self, model: str) -> Price | None:
        return self.prices.get(model)


def load_known(path: Path | None = None) -> Known:
    """Raises UsageError with the file and the place of the fault."""
    own = _read(_OWN)
    more = _read(path) if path is not None else _File()
    return Known((*more.endpoint, *own.endpoint), {**own.price, **more.price})


def _read(path: Path) -> _File:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as TOML ({error})") from None
    try:
        return _File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise UsageError(f"{path}: {first['msg'].lower()}, at ${where}") from None
