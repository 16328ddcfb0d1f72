"""What a failure on the wire is: worth a repetition, a sign that the server is away, an error."""

from __future__ import annotations

from collections.abc import Iterator

import openai

from generator.errors import LLMError, RequestFailed, Unreachable
from generator.llm.connections import NotConnectedError

FAILURES = (openai.OpenAIError, ValueError)
MAX_WAIT_S = 60.0
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_AWAY_STATUS = frozenset({502, 503, 504})
_BUSY_STATUS = frozenset({429, 503})


# Codes and types of a 429: OpenAI's, Moonshot's, one-api's.
_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
    | {"exceeded_current_quota_error", "insufficient_user_quota"}
)


class NotAnsweringError(TimeoutError):
    """A request timed out, and nothing else has come from its server either since it was sent."""


class UnloadedError(LookupError):
    """A server that has answered before says 404: a model unloaded, a gateway without a server."""


def is_transient(exc: BaseException) -> bool:
    """Whether the same request may be answered another time."""
    if is_out_of_money(exc):
        return False
    if isinstance(exc, openai.APIStatusError):
        known = exc.status_code in _RETRIED_STATUS or exc.status_code >= 500
        return known or is_unloaded(exc)
    # ValueError: bytes that are no JSON or no chat completion.
    return isinstance(exc, (openai.APIConnectionError, ValueError))


def is_away(exc: BaseException) -> bool:
    """Whether the server is not there: no connection, a gateway's word for it, or it hangs."""
    if isinstance(exc, openai.APIStatusError):
        return exc.status_code in _AWAY_STATUS or is_unloaded(exc)
    return is_unconnected(exc) or is_hanging(exc)


def is_hanging(exc: BaseException) -> bool:
    """Whether the server takes requests and answers none; found out after a request's time."""
    return any(isinstance(cause, NotAnsweringError) for cause in _chain(exc))


def is_unloaded(exc: BaseException) -> bool:
    """Whether a model that was there is not any more; it may come back."""
    return isinstance(exc.__cause__, UnloadedError)


def is_busy(exc: BaseException) -> bool:
    """Whether the server says that it gets too much: 429 or 503."""
    return isinstance(exc, openai.APIStatusError) and exc.status_code in _BUSY_STATUS


def is_unconnected(exc: BaseException) -> bool:
    """Whether no connection was made; the transport itself may call that a timeout."""
    return any(isinstance(cause, NotConnectedError) for cause in _chain(exc))


def is_out_of_money(exc: BaseException) -> bool:
    """Whether waiting does not help: OpenAI says so with a 429, DeepSeek and others with 402."""
    if isinstance(exc, openai.RateLimitError):
        return not _NO_MONEY.isdisjoint((str(exc.code), str(exc.type)))
    return isinstance(exc, openai.APIStatusError) and exc.status_code == 402


def is_moderated(exc: openai.APIStatusError) -> bool:
    """Whether the prompt was refused, not the key: OpenRouter's 403 gives reasons then."""
    told = exc.body.get("metadata") if isinstance(exc.body, dict) else None
    return isinstance(told, dict) and not {"reasons", "flagged_input"}.isdisjoint(told)


def retry_after_s(exc: BaseException) -> float | None:
    """The wait in seconds that a server asks for, at most `MAX_WAIT_S`; None without one."""
    if not isinstance(exc, openai.APIStatusError):
        return None
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            asked = float(exc.response.headers[name]) * unit_s
        except (KeyError, ValueError):  # absent, or a date: as without
            continue
        if asked >= 0:  # not so of NaN
            return min(asked, MAX_WAIT_S)
    return None


def meaning(exc: Exception, place: str, *, reached: bool) -> LLMError | RequestFailed:
    """What a failure that is left after all retries means for the run.

    `reached`: the server has answered before, if only with an error.
    """
    if isinstance(exc, openai.APIStatusError):
        return _meaning_of_status(exc, place)
    if isinstance(exc, openai.APIConnectionError):
        if is_unconnected(exc) or not reached:
            return Unreachable(
                f"{place} cannot be reached: {_cause(exc)}",
                hint="start the server or check --set llm.base_url=…; then run it again",
            )
        timed_out = any(isinstance(cause, TimeoutError) for cause in _chain(exc))
        return RequestFailed("timeout" if timed_out else "connection_lost", _cause(exc))
    return RequestFailed("bad_response", str(exc)[:500])


def _meaning_of_status(exc: openai.APIStatusError, place: str) -> LLMError | RequestFailed:
    if exc.status_code in {401, 403} and not is_moderated(exc):
        said = f": {_said(exc)}" if exc.status_code == 403 else ""  # a 401 may show half of the key
        return LLMError(
            f"{place} refused the key ({exc.status_code}){said}",
            hint="export OPENAI_API_KEY=…   (TRINE_API_KEY goes before it)",
        )
    if exc.status_code == 404:
        return LLMError(
            f"{place}: {_said(exc)}", hint="-m MODEL, --set llm.base_url=http://host/v1"
        )
    if is_out_of_money(exc):
        return LLMError(f"{place}: {_said(exc)}", hint="top up, then run it again")
    return RequestFailed(f"http_{exc.status_code}", _said(exc))


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _cause(exc: BaseException) -> str:
    """What the innermost of a chain of errors says."""
    *_, last = _chain(exc)
    return (str(last) or type(last).__name__)[:500]


def _said(exc: openai.APIStatusError) -> str:
    return str(exc.message)[:500]
