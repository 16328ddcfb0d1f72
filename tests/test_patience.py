"""How long one request is tried: each kind of failure for itself."""

from __future__ import annotations

import httpx2
import openai
import pytest

from generator.llm.connections import NotConnectedError
from generator.llm.patience import OUTAGE_S, RATE_LIMITED_S, Patience

REQUEST = httpx2.Request("POST", "http://host/v1/chat/completions")


def status(code: int, **headers: str) -> openai.APIStatusError:
    """A server's refusal."""
    response = httpx2.Response(code, headers=headers, request=REQUEST)
    kind = openai.RateLimitError if code == 429 else openai.APIStatusError
    return kind("no", response=response, body=None)


def lost(cause: OSError) -> openai.APIConnectionError:
    """A connection that broke off, or was never made."""
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "after", [status(500), lost(ConnectionResetError()), lost(NotConnectedError()), status(503)]
)
def test_a_rate_limit_that_was_waited_out_uses_up_no_retry(after: Exception) -> None:
    """Five minutes of 429, then something else for the first time: it is tried again."""
    patience, limited = Patience(6), status(429, **{"Retry-After": "15"})
    for seconds in range(0, 300, 15):
        assert patience.wait_s(limited, seconds, reached=True) is not None
    assert patience.wait_s(after, 301.0, reached=True) is not None


@pytest.mark.parametrize(
    ("failure", "most_s"),
    [(status(429), RATE_LIMITED_S), (status(503), OUTAGE_S), (status(500), 0.0)],
)
def test_each_kind_ends_after_its_retries_and_its_time(failure: Exception, most_s: float) -> None:
    """Both have to be over."""
    patience = Patience(3)
    for _ in range(3):
        assert patience.wait_s(failure, 10.0, reached=True) is not None
    if most_s:
        assert patience.wait_s(failure, 10.0 + most_s - 1, reached=True) is not None
    assert patience.wait_s(failure, 10.0 + most_s, reached=True) is None


@pytest.mark.parametrize(("most", "reached", "tries"), [(6, False, 2), (0, True, 0), (1, False, 1)])
def test_who_was_never_reached_is_given_up_soon(most: int, tries: int, *, reached: bool) -> None:
    """After two retries, or as many as there are to be."""
    patience, away = Patience(most), lost(NotConnectedError())
    for _ in range(tries):
        assert patience.wait_s(away, 0.0, reached=reached) is not None
    assert patience.wait_s(away, 0.0, reached=reached) is None
