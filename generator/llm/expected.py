"""How many tokens a request will probably take: its text's, and the mean reply's of its kind."""

from __future__ import annotations

from dataclasses import replace

from generator.records import Completion, Prompt

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
    return round(sum(4 + _tokens(message.content) for message in prompt.messages))


def counted(prompt: Prompt, answer: Completion) -> Completion:
    """The answer with its tokens: about so many, where the server has sent no count at all."""
    if answer.prompt_tokens or answer.completion_tokens:
        return answer
    written = round(_tokens(answer.text))
    return replace(answer, prompt_tokens=prompt_tokens(prompt), completion_tokens=written)


def _tokens(text: str) -> float:
    wide = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)
    return len(text) / _CHARS_PER_TOKEN + wide / 3
