"""The bytes of a chat completion → a Completion; knows no connection and no request."""

from __future__ import annotations

import json
from typing import Any

from generator.llm.reasoning import without_thinking
from generator.records import Completion


def read_reply(content: bytes, latency_s: float = 0.0) -> Completion:
    """The first choice. Raises ValueError on bytes that are no chat completion."""
    return completion(json.loads(content), latency_s)


def completion(reply: Any, latency_s: float = 0.0) -> Completion:
    """The first choice of a decoded reply. Raises ValueError on one that is no chat completion.

    A model's thinking is left out of the text; its tokens are counted among the completion's.
    """
    try:
        choice = reply["choices"][0]
        said = choice["message"].get("content") or ""
        finish_reason = choice.get("finish_reason") or "stop"
    except (AttributeError, LookupError, TypeError) as exc:
        message = f"not a chat completion: {str(reply)[:200]}"
        raise ValueError(message) from exc
    if not isinstance(said, str):
        message = f"the content is no text: {str(said)[:200]}"
        raise ValueError(message)  # noqa: TRY004 - a bad reply, as above
    text, thought = without_thinking(said)
    usage = reply.get("usage")
    written = _tokens(usage, "completion_tokens")
    reasoned = _tokens(_part(usage, "completion_tokens_details"), "reasoning_tokens")
    return Completion(
        text=text,
        finish_reason=str(finish_reason),
        prompt_tokens=_tokens(usage, "prompt_tokens"),
        completion_tokens=written,
        latency_s=round(latency_s, 4),
        cached_tokens=_tokens(_part(usage, "prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=reasoned or round(_thought_share(choice, said, thought) * written),
    )


def _thought_share(choice: Any, said: str, thought: float) -> float:
    """The share of characters that were thinking, where the server counts no such tokens."""
    message = choice["message"]
    beside = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(beside, str) and beside:
        return len(beside) / (len(beside) + len(said))
    return thought


def _part(usage: Any, name: str) -> Any:
    return usage.get(name) if isinstance(usage, dict) else None


def _tokens(usage: Any, name: str) -> int:
    """A count of tokens; 0 where the server sends none."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**53 else 0
