"""One request over the openai client, and the one place that translates what came of it.

    Reply       the model's answer, whatever its finish reason
    Fault       this try failed; whether another may help, whether the server is crowded, how long it asked to wait
    StopError   no request can succeed: the key is refused, the model is not there, the account is empty

The client never tries again by itself. Bodies are read as bytes and parsed here, so that a malformed one is a fault like others
and members that only some servers send (reasoning) are kept.
"""

import asyncio
import email.utils
import json
import math
import time
from dataclasses import dataclass
from typing import Any

import openai

from .endpoint import Endpoint, is_loopback
from .prompts import Request

_STOP = {401: "the key was refused", 402: "the account has no credit", 403: "access was refused", 404: "not found"}
_CROWDED = (429, 503, 529)  # 529: overloaded, as some providers say it
_TRANSIENT = (408, 409, 425)
_MESSAGE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    reasoning: str | None
    finish_reason: str
    model: str | None
    """As the server calls it."""
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    reason: str
    """One word: rate-limit, unavailable, server-error, refused, connection, timeout, malformed, no-choices, no-text."""
    message: str
    again: bool = True
    crowded: bool = False
    wait_s: float | None = None
    spent: Reply | None = None
    """A reply that was paid for and is of no use."""


class StopError(Exception):
    """The message is one line for the user."""


class Client:
    def __init__(self, endpoint: Endpoint, *, model: str, temperature: float, timeout_s: float) -> None:
        self._endpoint, self._model, self._temperature, self._timeout_s = endpoint, model, temperature, timeout_s
        self._clean = endpoint.secret.clean
        self._openai = openai.AsyncOpenAI(
            api_key=endpoint.secret.reveal(),
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=timeout_s,
            # Proxies of the environment are for the world outside, not for a server on this machine.
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False) if is_loopback(endpoint.base_url) else None,
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
            return self._of_status(error)
        except (openai.APITimeoutError, TimeoutError):
            return Fault("timeout", f"no answer within {self._timeout_s:g} s", crowded=True)
        except openai.APIConnectionError as error:
            return self._of_connection(error)
        except (OSError, openai.OpenAIError) as error:
            return Fault("connection", self._line(f"{type(error).__name__}: {error}"))
        return self._of_body(raw.http_response.content)

    def _line(self, text: str) -> str:
        """One short line without the key."""
        line = " ".join(self._clean(text).split())
        return line if len(line) <= _MESSAGE_CHARS else line[: _MESSAGE_CHARS - 3] + "..."

    def _of_connection(self, error: openai.APIConnectionError) -> Fault:
        cause = error.__cause__ or error.__context__
        said = f"{type(cause).__name__}: {cause}".rstrip(": ") if cause is not None else str(error)
        return Fault("connection", self._line(said))

    def _of_status(self, error: openai.APIStatusError) -> Fault:
        code, said, kind = error.status_code, _said(error), _kind(error)
        if code in _STOP:
            raise StopError(self._line(f"{self._endpoint.base_url} answered {code}, {_STOP[code]}: {said}"))
        if code == 429 and kind == "insufficient_quota":
            raise StopError(self._line(f"{self._endpoint.base_url} answered 429, the quota is used up: {said}"))
        message = self._line(f"HTTP {code}: {said}")
        wait_s = _retry_after(error.response.headers, time.time())
        if code in _CROWDED:
            return Fault("rate-limit" if code == 429 else "unavailable", message, crowded=True, wait_s=wait_s)
        if code >= 500:
            return Fault("server-error", message, wait_s=wait_s)
        return Fault("refused", message, again=code in _TRANSIENT)

    def _of_body(self, body: bytes) -> Reply | Fault:
        try:
            data = json.loads(body)
            choices = data["choices"]
            usage = data.get("usage") or {}
            prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
            model = data.get("model")
            if not choices:
                return Fault("no-choices", "the reply holds no choices")
            message = choices[0]["message"]
            text, finish = message.get("content"), choices[0].get("finish_reason")
            reasoning = message.get("reasoning_content") or message.get("reasoning")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            return Fault("malformed", self._line(f"the reply is not a chat completion ({type(error).__name__}: {error})"))
        reply = Reply(
            text=self._clean(text) if isinstance(text, str) else "",
            reasoning=self._clean(reasoning) if isinstance(reasoning, str) else None,
            finish_reason=self._clean(finish) if isinstance(finish, str) and finish else "none",
            model=self._clean(model) if isinstance(model, str) else None,
            prompt_tokens=prompt,
            completion_tokens=completion,
        )
        if reply.finish_reason == "stop" and not reply.text:
            return Fault("no-text", "the reply ended by itself and is empty", spent=reply)
        return reply


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.message


def _kind(error: openai.APIStatusError) -> str:
    body = error.body
    return str(body.get("code") or body.get("type") or "") if isinstance(body, dict) else ""


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
