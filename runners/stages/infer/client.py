"""One request over the openai client, and the one place that translates what came of it.

    Reply       the model's answer, whatever its finish reason
    Fault       this try failed; whether another may help, whose fault it is, how long the server asked to wait
    StopError   no request can succeed: the key is refused, the model is not there, the account is empty

The client never tries again by itself, and it never follows a redirect to another host: prompts and the key go where the user
said and nowhere else. Bodies are read as bytes (see body.py), so that a malformed one is a fault like others and members that
only some servers send are kept.
"""

import asyncio
import email.utils
import math
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from .body import Completion, MalformedError, NoChoicesError, ServerError, read_body, read_error
from .endpoint import Endpoint, is_loopback
from .prompts import Request

_STOP = {401: "the key was refused", 402: "the account has no credit", 403: "access was refused", 404: "not found"}
_CROWDED = (429, 503, 529)  # 529: overloaded, as some providers say it
_TRANSIENT = (408, 409, 425)
_OF_THE_ROW = (400, 413, 422, 451)
"""What is wrong with the request itself. Another row may do better."""
_MODERATED = ("moderation", "flagged", "content_policy", "content policy", "content_filter", "safety")
_ROWS_OWN = ("context", "too long", "too large", "maximum length", "token", *_MODERATED)
"""Words of refusals that speak of this row's text and of nothing that all rows share."""
_MESSAGE_CHARS = 300
_PATH = "/v1"


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    reasoning: str | None
    finish_reason: str
    """`stop`, `length`, `content_filter`, or the server's own word."""
    model: str | None
    """As the server calls it."""
    prompt_tokens: int | None
    completion_tokens: int | None
    served_finish_reason: str = ""
    """As the server spells it."""


@dataclass(frozen=True, slots=True)
class Fault:
    reason: str
    """One word: rate-limit, unavailable, server-error, refused, refusal, connection, timeout, malformed, no-choices or
    no-text."""
    message: str
    again: bool = True
    crowded: bool = False
    wait_s: float | None = None
    spent: Reply | None = None
    """A reply that was paid for and is of no use."""
    of_the_row: bool = False
    """The row's own fault: it says nothing about the server and the other rows."""


class StopError(Exception):
    """The message is one line for the user."""


class _OtherHostError(Exception):
    """The server sends us to another host."""


class Client:
    def __init__(self, endpoint: Endpoint, *, model: str, temperature: float, timeout_s: float) -> None:
        self._endpoint, self._model, self._temperature, self._timeout_s = endpoint, model, temperature, timeout_s
        self._clean = endpoint.secret.clean
        self._openai = openai.AsyncOpenAI(
            api_key=endpoint.secret.reveal(),
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=timeout_s,
            http_client=openai.DefaultAsyncHttpxClient(
                # Proxies of the environment are for the world outside, not for a server on this machine.
                trust_env=not is_loopback(endpoint.base_url),
                event_hooks={"response": [_stay_on_host]},
            ),
        )

    async def close(self) -> None:
        await self._openai.close()

    async def send(self, request: Request, max_tokens: int) -> Reply | Fault:
        """Raises StopError. Whatever else happens is a Fault."""
        body: dict[str, Any] = {"model": self._model, "messages": request.messages}
        body[self._endpoint.max_tokens_field] = max_tokens
        if self._endpoint.temperature:
            body["temperature"] = self._temperature
        if request.response_format is not None:
            body["response_format"] = request.response_format
        try:
            # The client's own timeout starts anew with every byte that trickles in; this one does not.
            async with asyncio.timeout(self._timeout_s):
                raw = await self._openai.chat.completions.with_raw_response.create(**body)
        except openai.APIStatusError as error:
            found = read_error(error.response.content, error.status_code)
            return self._of_error(found, f"HTTP {error.status_code}", error.response.headers)
        except (openai.APITimeoutError, TimeoutError):
            return Fault("timeout", f"no answer within {self._timeout_s:g} s", crowded=True)
        except openai.APIConnectionError as error:
            return self._of_connection(error)
        except _OtherHostError as other:
            raise StopError(self._line(f"{self._endpoint.base_url} {other}")) from None
        except (OSError, openai.OpenAIError) as error:
            return Fault("connection", self._line(f"{type(error).__name__}: {error}"))
        return self._of_body(raw.http_response, max_tokens)

    def _line(self, text: str) -> str:
        """One short line without the key."""
        line = " ".join(self._clean(text).split())
        return line if len(line) <= _MESSAGE_CHARS else line[: _MESSAGE_CHARS - 3] + "..."

    def _of_connection(self, error: openai.APIConnectionError) -> Fault:
        """Raises StopError for a redirect to another host."""
        cause: BaseException | None = error
        said = ""
        while cause is not None:
            if isinstance(cause, _OtherHostError):
                raise StopError(self._line(f"{self._endpoint.base_url} {cause}")) from None
            if isinstance(cause, OSError) and cause.errno:
                plainly = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror  # below 0: of the name's look-up
                return Fault("connection", self._line((plainly or str(cause)).lower()))
            said = f"{type(cause).__name__}: {cause}".rstrip(": ")
            cause = _behind(cause)
        return Fault("connection", self._line(said))

    def _of_error(self, error: ServerError, where: str, headers: Any) -> Fault:
        """Of an error with a status of its own, or of one that a response of status 200 holds. Raises StopError."""
        code, said, kind = error.code, error.said or "no word of why", error.kind.lower()
        message = self._line(f"{where}: {said}")
        if code is None:
            return Fault("server-error", message)
        low = f"{kind} {said}".lower()
        if code == 403 and any(word in low for word in _MODERATED):
            return Fault("refused", message, again=False, of_the_row=True)
        if code in _STOP:
            hint = self._hint(low) if code == 404 else ""
            raise StopError(self._line(f"{self._endpoint.base_url} answered {code}, {_STOP[code]}: {said}") + hint)
        if code == 429 and "insufficient_quota" in kind:
            raise StopError(self._line(f"{self._endpoint.base_url} answered 429, the quota is used up: {said}"))
        wait_s = _retry_after(headers, time.time())
        if code in _CROWDED:
            return Fault("rate-limit" if code == 429 else "unavailable", message, crowded=True, wait_s=wait_s)
        if code >= 500:
            return Fault("server-error", message, wait_s=wait_s)
        own = code in _OF_THE_ROW and any(word in low for word in _ROWS_OWN)
        return Fault("refused", message, again=code in _TRANSIENT, of_the_row=own)

    def _hint(self, said: str) -> str:
        """What to try where nothing is found; a server that speaks of the model has been found."""
        if "model" in said:
            return ""
        path = urlsplit(self._endpoint.base_url).path
        if path.endswith(_PATH):
            return f"; does the server speak chat completions there? POST {self._endpoint.base_url}/chat/completions is asked"
        return f"; most servers want a base URL that ends in {_PATH}: try --base-url {self._endpoint.base_url}{_PATH}"

    def _of_body(self, response: Any, max_tokens: int) -> Reply | Fault:
        try:
            found = read_body(response.content)
        except NoChoicesError as error:
            return Fault("no-choices", self._line(f"the reply holds no choices{f': {error}' if str(error) else ''}"))
        except MalformedError as error:
            said = read_error(response.content, response.status_code).said
            return Fault("malformed", self._line(f"the reply is not a chat completion ({error}): {said or 'it is empty'}"))
        if isinstance(found, ServerError):
            where = "an error in the reply" if found.code is None else f"an error in the reply, {found.code}"
            return self._of_error(found, where, response.headers)
        reply = self._reply(found, max_tokens)
        if found.refusal:
            message = self._line(f"the model refuses: {found.refusal}")
            return Fault("refusal", message, again=False, spent=reply, of_the_row=True)
        if reply.finish_reason == "stop" and not reply.text.strip():
            return Fault("no-text", "the reply ended by itself and is empty", spent=reply)
        return reply

    def _reply(self, found: Completion, max_tokens: int) -> Reply:
        finish = found.finish_reason
        if finish == "stop" and not found.served_finish_reason and (found.completion_tokens or 0) >= max_tokens:
            finish = "length"  # nobody said how it ended, but it has all the tokens that it may
        return Reply(
            text=self._clean(found.text),
            reasoning=self._clean(found.reasoning) if found.reasoning else None,
            finish_reason=self._clean(finish),
            model=self._clean(found.model) if found.model is not None else None,
            prompt_tokens=found.prompt_tokens,
            completion_tokens=found.completion_tokens,
            served_finish_reason=self._clean(found.served_finish_reason),
        )


async def _stay_on_host(response: Any) -> None:
    """Raises _OtherHostError at a redirect that leaves the host, or would not repeat the request as it is."""
    if not response.has_redirect_location:
        return
    target = response.url.join(response.headers["location"])
    if response.status_code not in (307, 308) or _origin(target) != _origin(response.url):
        raise _OtherHostError(
            f"answered {response.status_code} and points to {target}; nothing was sent there. If that is where the model is "
            "served, give it as --base-url"
        )


def _origin(url: Any) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _behind(error: BaseException) -> BaseException | None:
    """What an error was made from; of several, the first."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or error.__context__


def _retry_after(headers: Any, now: float) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date); None where it says nothing readable."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) / unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
            except (ValueError, TypeError, OverflowError):
                continue
        if not math.isnan(seconds):
            return max(0.0, seconds)
    return None
