"""A line of a batch's output → a Completion, or the error that a direct call would have met."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx2
import openai

from generator.errors import LLMError, RequestFailed
from generator.llm.collector import PATH
from generator.llm.failures import is_transient, meaning
from generator.llm.replies import completion
from generator.records import Completion


class NoAnswer(ValueError):
    """The batch ended without an answer to the request; `code` is the provider's word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


FAILURES = (openai.APIStatusError, ValueError)


def read_line(line: bytes | None) -> Completion:
    """The answer of a line. Raises APIStatusError, or ValueError where there is none."""
    if line is None:
        raise NoAnswer("batch_incomplete", "the batch ended without an answer to this request")
    found = json.loads(line)
    response = found.get("response") or {}
    status, body = response.get("status_code"), response.get("body")
    if status == httpx2.codes.OK:
        return replace(completion(body), batched=True)
    if not isinstance(status, int) or status < 400:  # none, or 0: the provider's own trouble
        error = found.get("error") or {}
        raise NoAnswer(str(error.get("code") or "batch_no_answer"), str(error.get("message")))
    raise _status_error(status, body)


def worth_another(exc: Exception) -> bool:
    """Whether the request may be answered in another batch."""
    return is_transient(exc)


def final(exc: Exception, place: str) -> LLMError | RequestFailed:
    """What a failure means that is left after all batches."""
    if isinstance(exc, NoAnswer):
        return RequestFailed(exc.code, str(exc)[:500])
    return meaning(exc, place, reached=True)


def _status_error(status: int, body: Any) -> openai.APIStatusError:
    said = body.get("error") if isinstance(body, dict) else None
    kind = openai.RateLimitError if status == httpx2.codes.TOO_MANY_REQUESTS else None
    return (kind or openai.APIStatusError)(
        str((said or {}).get("message") or body)[:500],
        response=httpx2.Response(status, request=httpx2.Request("POST", PATH)),
        body=said,
    )
