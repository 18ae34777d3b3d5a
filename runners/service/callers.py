"""Who asks: the token in a request's headers, and the name that the client gives itself."""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping

from .desk import Client
from .faults import Refused
from .settings import ServiceSettings, is_loopback

_NAME = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::\d+)?")


def client_of(headers: Mapping[bytes, bytes], settings: ServiceSettings) -> Client:
    """Raises Refused where the request may not be served.

    Without tokens, whatever reaches the loopback address is let in, and so could be a web page in a browser on this machine:
    requests of pages (they carry Origin) and for other hosts (a name that was made to mean 127.0.0.1) are refused.
    """
    if not settings.tokens:
        found = _HOST.fullmatch(headers.get(b"host", b"localhost").decode("latin-1"))
        if b"origin" in headers or found is None or not is_loopback(found[1]):
            raise Refused(403, "forbidden", "without a token only programs on this machine are served, by a loopback address")
        return Client(-1, _name(headers))
    given = _token(headers.get(b"authorization", b"").decode("latin-1"))
    matches = [hmac.compare_digest(given.encode(), token.encode()) for token in settings.tokens]  # all of them, in equal time
    if True not in matches:
        challenge = {"www-authenticate": 'Bearer realm="reexec"'}
        raise Refused(401, "unauthorized", "send the service's token: Authorization: Bearer TOKEN", headers=challenge)
    return Client(matches.index(True), _name(headers))


def _token(authorization: str) -> str:
    """Of a bearer token, or of the password that a URL carries (http://any:TOKEN@host): not every client sets headers."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("latin-1").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


def _name(headers: Mapping[bytes, bytes]) -> str:
    name = headers.get(b"x-client-id", b"").decode("latin-1")
    if name and not _NAME.fullmatch(name):
        raise Refused(400, "bad-request", "X-Client-ID: 1 to 64 letters, digits and . _ : @ -")
    return name


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The name of a request in the log and in its answer: the client's X-Request-ID, or one of our own where there is none that
    is a short name."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if _NAME.fullmatch(given) else secrets.token_hex(8)
