"""What the outcome of a request says of its endpoint: health, window, limits; whether it hangs."""

from __future__ import annotations

import openai

from generator.llm.endpoints import Ticket
from generator.llm.failures import NotAnsweringError, UnloadedError, is_away, is_busy
from generator.llm.wire import Reply
from generator.records import Completion

_FEWEST = 5  # in flight at a server that may be said to hang


def learn_from_answer(ticket: Ticket, reply: Reply, answer: Completion, now: float) -> None:
    """Note what an answer says of its endpoint."""
    endpoint = ticket.endpoint
    endpoint.reached, endpoint.heard_at, endpoint.has_answered = True, now, True
    endpoint.health.answered()
    endpoint.window.answered(ticket.sent_at, now, ticket.level, answer.completion_tokens)
    spent = answer.prompt_tokens + answer.completion_tokens
    if spent:
        endpoint.meters.tokens.correct(ticket.tokens, spent)
    endpoint.meters.learn(reply.headers, now)


def learn_from_failure(ticket: Ticket, exc: Exception, now: float) -> None:
    """Note a failure, and mark in its cause what it is by all that is known of its endpoint."""
    _tell_unloaded(ticket, exc)
    _tell_hanging(ticket, exc)
    endpoint = ticket.endpoint
    if isinstance(exc, openai.APIStatusError):
        endpoint.reached, endpoint.heard_at = True, now
        endpoint.meters.learn(exc.response.headers, now)
    elif endpoint.reached is None:
        endpoint.reached = False
    if is_busy(exc):
        endpoint.window.refused(ticket.sent_at, now)
    if is_away(exc):
        endpoint.health.failed(now, tried=ticket.tries)
    elif isinstance(exc, openai.APIStatusError | ValueError):
        endpoint.health.answered()


def _tell_unloaded(ticket: Ticket, exc: Exception) -> None:
    """Tell a model that has gone from one that was never there."""
    if isinstance(exc, openai.NotFoundError) and ticket.endpoint.has_answered:
        exc.__cause__ = UnloadedError()


def _tell_hanging(ticket: Ticket, exc: Exception) -> None:
    """Tell a server that hangs from requests that take too long, as the last ones of a run may.

    It does where many are in flight, and none was answered since this one was sent.
    """
    endpoint, window = ticket.endpoint, ticket.endpoint.window
    is_one_of_many = window.in_flight >= max(_FEWEST, window.size // 2) or ticket.tries
    is_silent = is_one_of_many and endpoint.heard_at < ticket.sent_at
    if is_silent and isinstance(exc, openai.APITimeoutError):
        exc.__cause__ = NotAnsweringError(*(exc.__cause__.args if exc.__cause__ else ()))
