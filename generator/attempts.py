"""What a run's journal holds by family, language and model: attempts, tokens, money."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from generator.llm.journal import Journal
from generator.plan import Plan

_DRAW = re.compile(r"(?P<family>.*)@\d+/.*/(?P<language>[^/]*)")
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


class Group(NamedTuple):
    """Draws of one family and language that one model was asked for ("" where none was)."""

    family: str
    language: str
    model: str


Attempts = Mapping[Group, Mapping[str, float]]


def attempts(plan: Plan, journal: Journal) -> Attempts:
    """By group: attempts, and of them answers, answers to a request asked again, and failures.

    An attempt is a request that was answered or given up: repetitions of one that the server
    refused are part of it. With tokens, and the cost where the price is known.
    """
    found: dict[Group, Counter[str]] = {}
    for asked in journal.asked():
        row = found.setdefault(_group(asked.of, asked.model), Counter())
        row.update(attempts=asked.answers, answers=asked.answers, again=asked.again)
        row.update({name: getattr(asked, name) for name in _TOKENS})
        usd = plan.prices.usd(
            asked.model, asked.prompt_tokens, asked.completion_tokens,
            cached=asked.cached_tokens, batched=asked.batched,
        )  # fmt: skip
        if usd is not None:
            row["cost_usd"] += usd  # type: ignore[assignment]
    for group, times in _failures(plan, journal):
        found.setdefault(group, Counter()).update(attempts=times, failed=times)
    return {group: dict(row) for group, row in found.items()}


def _failures(plan: Plan, journal: Journal) -> Iterator[tuple[Group, int]]:
    brainstorm = plan.config.llm.brainstorm
    for draw, step, times in journal.failed():
        by_another = step == "brainstorm" and brainstorm is not None
        model = brainstorm.model if by_another and brainstorm else plan.writer_of(draw).model
        yield _group(draw.rpartition("#")[0], model), times


def _group(of: str, model: str) -> Group:
    match = _DRAW.fullmatch(of)
    return Group(match["family"], match["language"], model) if match else Group("", "", model)
