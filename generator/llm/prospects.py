"""What a request will take, in dollars and tokens: at its worst, or as others of its kind did.

A kind is a model, a family and a step. Until enough of a kind are answered, and while most of those
that were sent are still out (short replies come first), a request counts at its worst: a token for
each byte of its prompt, and all of its `max_tokens`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from generator.records import Completion, Prompt

# What servers add to a prompt: marks of turns, names.
_FRAME_TOKENS = 64
_ENOUGH = 30

# Model, tokens of the prompt and of the completion, cached ones, and whether it is a batch.
PriceOf = Callable[[str, int, int, int, bool], float | None]


class Amount(NamedTuple):
    """US dollars (None where no price is known) and tokens in and out."""

    usd: float | None
    tokens: float

    def __add__(self, other: Amount) -> Amount:  # type: ignore[override]
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Amount(usd, self.tokens + other.tokens)

    def times(self, factor: float) -> Amount:
        """So many times as much."""
        return Amount(None if self.usd is None else factor * self.usd, factor * self.tokens)


NOTHING = Amount(0.0, 0)


class Prospect(NamedTuple):
    """What a request is expected to take, and the variance of that."""

    mean: Amount
    variance: Amount


class _Kind:
    """Sums over the answers of one kind, and the most that one of them took."""

    def __init__(self) -> None:
        self.count = 0
        self.total = self.squares = self.dearest = NOTHING

    def add(self, cost: Amount) -> None:
        self.count += 1
        self.total += cost
        self.squares += _squared(cost)
        self.dearest = Amount(
            max(self.dearest.usd or 0.0, cost.usd or 0.0), max(self.dearest.tokens, cost.tokens)
        )

    def prospect(self) -> Prospect:
        mean = self.total.times(1 / self.count)
        variance = self.squares.times(1 / self.count) + _squared(mean).times(-1)
        return Prospect(mean, variance)


class Prospects:
    """Learns from answers what requests take. `batched` tells of a model whether it is a batch."""

    def __init__(self, price_of: PriceOf, batched: Callable[[str], bool]) -> None:
        self._price_of, self._batched = price_of, batched
        self._kinds: dict[tuple[str, str, str], _Kind] = {}

    def learn(self, prompt: Prompt, answer: Completion) -> None:
        """Note what an answer took."""
        cost = self.cost(prompt, answer)
        for key in (_kind(prompt), (prompt.model, "", "")):
            self._kinds.setdefault(key, _Kind()).add(cost)

    def cost(self, prompt: Prompt, answer: Completion) -> Amount:
        """What an answer took."""
        asked, written = answer.prompt_tokens, answer.completion_tokens
        usd = self._price_of(prompt.model, asked, written, answer.cached_tokens, answer.batched)
        return Amount(usd, asked + written)

    def of(self, prompt: Prompt, in_flight: int) -> Prospect:
        """What a request is expected to take, beside so many others in flight."""
        kind = self._kinds.get(_kind(prompt))
        if kind is None or kind.count < max(_ENOUGH, 2 * in_flight):
            return Prospect(self._worst(prompt), NOTHING)
        return kind.prospect()

    def dearest(self, prompt: Prompt) -> Amount:
        """The most that one of its kind has taken so far; or one of its model, or at its worst."""
        kind = self._kinds.get(_kind(prompt)) or self._kinds.get((prompt.model, "", ""))
        return kind.dearest if kind else self._worst(prompt)

    def _worst(self, prompt: Prompt) -> Amount:
        said = sum(len(message.content.encode("utf-8", "replace")) for message in prompt.messages)
        asked, most = said + len(prompt.schema) + _FRAME_TOKENS, prompt.params.max_tokens
        usd = self._price_of(prompt.model, asked, most, 0, self._batched(prompt.model))
        return Amount(usd, asked + most)


def _kind(prompt: Prompt) -> tuple[str, str, str]:
    return prompt.model, prompt.draw.partition("@")[0], prompt.step


def _squared(amount: Amount) -> Amount:
    return Amount(None if amount.usd is None else amount.usd**2, amount.tokens**2)
