"""Any OpenAI-compatible endpoint, through the `openai` package on its aiohttp transport.

Transport failures repeat the same request, with `Retry-After` where the server sends it and
exponential waits with jitter otherwise; an outage and a rate limit are waited out. A server that
refuses `response_format` is asked for plain text from then on. Knows no journal, no draw and no
parsing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx2
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from generator.errors import LLMError, RequestFailed, Unreachable
from generator.records import Completion, Prompt

MAX_WAIT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
# Beyond `max_retries`, in seconds of waiting: how long a server that has answered before may be
# away, and how long one may say that it has had too many requests.
OUTAGE_S = 60.0
RATE_LIMITED_S = 900.0
_BACKOFF = wait_random_exponential(multiplier=0.5, max=10.0)
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_OUTAGE_STATUS = frozenset({502, 503, 504})
_TRANSPORT = (openai.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError)
_FAILURES = (openai.OpenAIError, *_TRANSPORT, ValueError)


class OpenAILLM:
    """An LLM behind `base_url` (OpenAI's own when None). The key never shows in a repr."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        concurrency: int = 64,
        timeout_s: float = 120.0,
        max_retries: int = 6,
        structured: bool = True,
        client: AsyncOpenAI | None = None,
    ) -> None:
        if api_key is None and base_url is None and client is None:
            raise LLMError("no API key", hint="export OPENAI_API_KEY=… (or --set llm.base_url=…)")
        self.concurrency = concurrency
        self._structured = structured
        self._max_retries = max_retries
        self._reached = False
        self._place = base_url or "https://api.openai.com/v1"
        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        self._client = client or AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,  # tenacity retries: one place decides
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            http_client=DefaultAioHttpClient(limits=limits, timeout=timeout_s),
        )

    def __repr__(self) -> str:
        return f"OpenAILLM({self._place!r}, concurrency={self.concurrency})"

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt. Raises LLMError or RequestFailed."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_transient),
            wait=_wait,
            stop=self._is_enough,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._send(prompt)
        except _FAILURES as exc:
            raise self._meaning(exc) from exc
        raise AssertionError  # the loop returns or raises

    async def _send(self, prompt: Prompt) -> Completion:
        structured = self._structured
        start = time.perf_counter()
        try:
            # Not `chat.completions.create`: checking the schema's types takes it a millisecond.
            reply = await self._client.post(
                "/chat/completions", body=_body(prompt, structured), cast_to=httpx2.Response
            )
        except openai.APIStatusError as exc:
            self._reached = True
            if structured and _is_about_format(exc):
                self._structured = False
                return await self._send(prompt)
            raise
        self._reached = True
        return _completion(json.loads(reply.content), time.perf_counter() - start)

    def _is_enough(self, state: RetryCallState) -> bool:
        # A server that has never answered is more likely a wrong address than a bad moment.
        retries = self._max_retries if self._reached else min(self._max_retries, 2)
        exc = state.outcome.exception() if state.outcome else None
        return state.attempt_number > retries and state.idle_for >= self._patience_s(exc)

    def _patience_s(self, exc: BaseException | None) -> float:
        if not self._reached or not self._max_retries:
            return 0.0
        if isinstance(exc, openai.RateLimitError):
            return RATE_LIMITED_S
        away = isinstance(exc, openai.APIStatusError) and exc.status_code in _OUTAGE_STATUS
        return OUTAGE_S if away or _is_unconnected(exc) else 0.0

    def _meaning(self, exc: Exception) -> LLMError | RequestFailed:  # noqa: PLR0911 - a table
        """What a failure that is left after all retries means for the run."""
        if isinstance(exc, openai.AuthenticationError | openai.PermissionDeniedError):
            return LLMError(
                f"{self._place} refused the key ({exc.status_code})",
                hint="export OPENAI_API_KEY=…   (TRINE_API_KEY goes before it)",
            )
        if isinstance(exc, openai.NotFoundError):
            return LLMError(
                f"{self._place}: {_said(exc)}", hint="-m MODEL, --set llm.base_url=http://host/v1"
            )
        if isinstance(exc, openai.RateLimitError) and _is_out_of_money(exc):
            return LLMError(f"{self._place}: {_said(exc)}", hint="top up, then run it again")
        if isinstance(exc, openai.APIStatusError):
            return RequestFailed(f"http_{exc.status_code}", _said(exc))
        if isinstance(exc, _TRANSPORT) and (_is_unconnected(exc) or not self._reached):
            return Unreachable(
                f"{self._place} cannot be reached: {_cause(exc)}",
                hint="start the server or check --set llm.base_url=…; then run it again",
            )
        if isinstance(exc, _TRANSPORT):
            timed_out = any(isinstance(cause, TimeoutError) for cause in _chain(exc))
            return RequestFailed("timeout" if timed_out else "connection_lost", _cause(exc))
        return RequestFailed("bad_response", str(exc)[:500])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _body(prompt: Prompt, structured: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": prompt.model,
        "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
        "temperature": prompt.params.temperature,
        "top_p": prompt.params.top_p,
        "max_tokens": prompt.params.max_tokens,
        "seed": prompt.params.seed,
    }
    if structured and prompt.schema:
        schema = {"name": prompt.step, "strict": True, "schema": json.loads(prompt.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _completion(reply: Any, latency_s: float) -> Completion:
    """The first choice. Raises ValueError on a reply that is not a chat completion."""
    try:
        choice = reply["choices"][0]
        text = choice["message"].get("content") or ""
        finish_reason = choice.get("finish_reason") or "stop"
    except (AttributeError, LookupError, TypeError) as exc:
        message = f"not a chat completion: {str(reply)[:200]}"
        raise ValueError(message) from exc
    if not isinstance(text, str):
        message = f"the content is no text: {str(text)[:200]}"
        raise ValueError(message)  # noqa: TRY004 - a bad reply, as above
    usage = reply.get("usage")
    return Completion(
        text=text,
        finish_reason=str(finish_reason),
        prompt_tokens=_tokens(usage, "prompt_tokens"),
        completion_tokens=_tokens(usage, "completion_tokens"),
        latency_s=round(latency_s, 4),
    )


def _tokens(usage: Any, name: str) -> int:
    """A count of tokens; 0 where the server sends none."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**53 else 0


def _is_transient(exc: BaseException) -> bool:
    if isinstance(exc, openai.RateLimitError) and _is_out_of_money(exc):
        return False
    if isinstance(exc, openai.APIStatusError):
        return exc.status_code in _RETRIED_STATUS or exc.status_code >= 500
    # ValueError: bytes that are no JSON or no chat completion.
    return isinstance(exc, (*_TRANSPORT, ValueError))


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _cause(exc: BaseException) -> str:
    """What the innermost of a chain of errors says."""
    *_, last = _chain(exc)
    return (str(last) or type(last).__name__)[:500]


def _is_unconnected(exc: BaseException | None) -> bool:
    """Whether no connection was made; the transport itself calls that a timeout."""
    kinds = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpx2.ConnectError)
    return any(isinstance(cause, kinds) for cause in _chain(exc))


def _is_about_format(exc: openai.APIStatusError) -> bool:
    if exc.status_code not in {400, 422}:
        return False
    text = str(exc).lower()
    return any(word in text for word in ("response_format", "json_schema", "guided", "schema"))


def _is_out_of_money(exc: openai.RateLimitError) -> bool:
    return exc.code == "insufficient_quota"


def _wait(state: RetryCallState) -> float:
    exc = state.outcome.exception() if state.outcome else None
    if isinstance(exc, openai.APIStatusError):
        try:
            asked = float(exc.response.headers["retry-after"])
        except (KeyError, ValueError):  # absent, or a date: wait as without
            asked = -1.0
        if asked >= 0:
            return min(asked, MAX_WAIT_S)
    return float(_BACKOFF(state))


def _said(exc: Exception) -> str:
    return str(getattr(exc, "message", exc))[:500]
