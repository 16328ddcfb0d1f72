"""The bytes of a chat completion → a Completion; knows no connection and no request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from generator.llm.reasoning import without_thinking
from generator.records import Completion


def read_reply(content: bytes, latency_s: float = 0.0) -> Completion:
    """The first choice. Raises ValueError on bytes that are no chat completion."""
    try:
        found = json.loads(content)
    except ValueError as exc:  # a page, a stream, a reply that was cut off
        message = f"not JSON: {content[:200].decode('utf-8', 'replace')}"
        raise ValueError(message) from exc
    return completion(found, latency_s)


def completion(reply: Any, latency_s: float = 0.0) -> Completion:
    """The first choice of a decoded reply. Raises ValueError on one that is no chat completion.

    A model's thinking is left out of the text; its tokens are counted among the completion's.
    """
    try:
        choice = reply["choices"][0]
        said = _whole(choice["message"].get("content") or "")
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


def _whole(content: Any) -> Any:
    """The text of a content that comes in parts, as reasoning models' does at some servers."""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(_texts(content, thought=False))
    return content


def _texts(parts: Any, *, thought: bool) -> Iterator[str]:
    """The texts of those parts that are (or are not) thinking, which may have parts of its own."""
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        if (part.get("type", "text") not in {"text", "output_text"}) is thought:
            inner = part.get("thinking") or part.get("text")
            yield inner if isinstance(inner, str) else "".join(_texts(inner, thought=False))


def _thought_share(choice: Any, said: str, thought: float) -> float:
    """The share of characters that were thinking, where the server counts no such tokens."""
    message = choice["message"]
    beside = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(message.get("content"), list):
        beside = "".join(_texts(message["content"], thought=True))
    if isinstance(beside, str) and beside:
        return len(beside) / (len(beside) + len(said))
    return thought


def _part(usage: Any, name: str) -> Any:
    return usage.get(name) if isinstance(usage, dict) else None


def _tokens(usage: Any, name: str) -> int:
    """A count of tokens; 0 where the server sends none."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**53 else 0
