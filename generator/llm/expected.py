"""How many tokens a request will probably take: its text's, and the mean reply's of its kind."""

from __future__ import annotations

from generator.records import Prompt

_CHARS_PER_TOKEN = 3.0  # cautious for English; one for what is not ASCII
_WEIGHT = 0.05  # of the newest answer in the mean
_MARGIN = 1.2


class Expected:
    """Learns the mean length of a reply for each step; the limit counts until one is known."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def tokens(self, prompt: Prompt) -> int:
        """Tokens of prompt and reply."""
        mean = self._means.get(prompt.step)
        most = prompt.params.max_tokens
        reply = most if mean is None else min(most, round(mean * _MARGIN))
        return prompt_tokens(prompt) + reply

    def learn(self, prompt: Prompt, completion_tokens: int) -> None:
        """Note the length of a reply."""
        if completion_tokens > 0:
            mean = self._means.get(prompt.step, float(completion_tokens))
            self._means[prompt.step] = mean + _WEIGHT * (completion_tokens - mean)


def prompt_tokens(prompt: Prompt) -> int:
    """About how many tokens a prompt has."""
    total = 0.0
    for message in prompt.messages:
        text = message.content
        wide = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)
        total += 4 + len(text) / _CHARS_PER_TOKEN + wide / 3
    return round(total)
