"""Thinking that a model writes before its answer: taken off the text, and counted.

Servers with a reasoning parser send it beside the text; others leave `<think>…</think>` in it, or
only the closing mark where the chat template wrote the opening one.
"""

from __future__ import annotations

import re

_OPEN, _CLOSE = re.compile(r"\s*<(think|thinking|reasoning)>"), "</{}>"


def without_thinking(text: str) -> tuple[str, float]:
    """The answer, and which share of the characters was thinking (0 to 1).

    A text that was cut off while it thought is an empty answer.
    """
    opened = _OPEN.match(text)
    close = _CLOSE.format(opened[1] if opened else "think")
    _, found, answer = text.partition(close)
    if not opened and (not found or text.lstrip().startswith(("{", "["))):
        return text, 0.0  # an answer may speak of the mark
    if not found:
        return "", 1.0
    answer = answer.lstrip()
    return answer, 1.0 - len(answer) / len(text)
