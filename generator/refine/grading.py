"""An LLM that grades how well texts answer a query, from 0 to 3: prompts, replies, the cascade.

The scale is that of TREC's Deep Learning track (as UMBRELA has it, arXiv 2406.06519). A cheap judge
grades first; a strong one is asked again about what would change the record (RLHN, arXiv
2505.16967). Knows no model: `Ask` answers prompts, from a model or from a journal alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from generator.errors import RequestFailed
from generator.families import Sampling, object_schema
from generator.modelconfig import ModelConfig
from generator.records import Completion, Message, Prompt, Record, content_id
from generator.refineconfig import JudgeConfig

GRADES = (0, 1, 2, 3)
MAX_ATTEMPTS = 3
REPEATED_TEMPERATURE = 0.7
FIRST, AGAIN = "grade", "grade-again"
_LONE = re.compile(r"(?<![\d.])([0-3])(?!\.?\d)")

Ask = Callable[[Prompt], Awaitable[Completion]]


class Rendered(NamedTuple):
    """The turns of a rendered template, and the hash of its source."""

    messages: tuple[Message, ...]
    template: str


Render = Callable[[Record, Sequence[str]], Rendered]


@dataclass(frozen=True, slots=True)
class Text:
    """A text to grade for a record; `is_positive` says what the record holds it for."""

    text: str
    is_positive: bool


@dataclass(frozen=True, slots=True)
class Grade:
    """What the judges said of a text; None where one was not asked, or gave no grade."""

    cheap: int | None = None
    strong: int | None = None
    again: int | None = None

    @property
    def final(self) -> int | None:
        """The strong judge's, else the cheap one's."""
        return self.cheap if self.strong is None else self.strong


async def graded(
    ask: Ask, render: Render, judge: JudgeConfig, record: Record, texts: Sequence[Text]
) -> list[Grade]:
    """The grades of some texts of one record. Raises LLMError, never RequestFailed."""
    if not texts:
        return []
    cheap = await _grades(ask, render, judge, judge, record, texts, FIRST)
    again: list[int | None] = [None] * len(texts)
    if _is_sampled(record, judge.again):
        again = await _grades(ask, render, judge, judge, record, texts, AGAIN)
    strong: list[int | None] = [None] * len(texts)
    if judge.strong is not None:
        places = [i for i, text in enumerate(texts) if _is_doubtful(cheap[i], text, judge)]
        doubtful = [texts[place] for place in places]
        found = await _grades(ask, render, judge, judge.strong, record, doubtful, FIRST)
        for place, grade in zip(places, found, strict=True):
            strong[place] = grade
    return [Grade(*three) for three in zip(cheap, strong, again, strict=True)]


def _is_doubtful(grade: int | None, text: Text, judge: JudgeConfig) -> bool:
    """Whether a grade is missing, unsure, or against what the record says."""
    if grade is None or grade in judge.doubtful:
        return True
    return grade < judge.positive_min if text.is_positive else grade > judge.negative_max


def _is_sampled(record: Record, share: float) -> bool:
    """A share of all records, by their ids."""
    return int(blake2b(record.id.encode(), digest_size=4).hexdigest(), 16) < share * 2**32


async def _grades(
    ask: Ask, render: Render, judge: JudgeConfig, model: ModelConfig, record: Record,
    texts: Sequence[Text], step: str,
) -> list[int | None]:  # fmt: skip
    """One model's grades, in one call or in one a text."""
    groups = [list(range(len(texts)))] if judge.listwise else [[i] for i in range(len(texts))]
    found: list[int | None] = [None] * len(texts)
    for group in groups:
        # No text stands first because it is the positive, and the second time none stands where
        # it stood: a judge may prefer a place.
        order = sorted(group, key=lambda i: content_id(step, texts[i].text))
        shown = [texts[i].text for i in order]
        replies = await _one_call(ask, render(record, shown), model, record, shown, step)
        for place, grade in zip(order, replies, strict=True):
            found[place] = grade
    return found


async def _one_call(
    ask: Ask, rendered: Rendered, model: ModelConfig, record: Record, texts: Sequence[str],
    step: str,
) -> Sequence[int | None]:  # fmt: skip
    for attempt in range(MAX_ATTEMPTS if texts else 0):
        prompt = grading_prompt(rendered, model, record, texts, step, attempt)
        try:
            found = grades_in((await ask(prompt)).text, len(texts))
        except RequestFailed:
            break
        if found is not None:
            return found
    return [None] * len(texts)


def grading_prompt(
    rendered: Rendered, model: ModelConfig, record: Record, texts: Sequence[str], step: str,
    attempt: int = 0,
) -> Prompt:  # fmt: skip
    """One request; its key is the same whenever the same texts are graded in the same words."""
    # At temperature 0 the same words get the same reply: another one takes chance.
    warmer = max(model.temperature, REPEATED_TEMPERATURE)
    is_first = step == FIRST and not attempt
    sampling = Sampling(temperature=model.temperature if is_first else warmer)
    return Prompt(
        model=model.model,
        draw=f"judge/{content_id(record.query, *texts)}",
        step=step,
        attempt=attempt,
        messages=model.turns(rendered.messages),
        params=model.params(sampling, attempt),
        schema=_schema(len(texts)),
        template=rendered.template,
    )


def _schema(count: int) -> str:
    grade = {"type": "integer", "enum": list(GRADES)}
    if count == 1:
        return object_schema({"grade": grade})
    return object_schema(
        {"grades": {"type": "array", "items": grade, "minItems": count, "maxItems": count}}
    )


def grades_in(reply: str, count: int) -> list[int] | None:
    """The grades in a reply: of its JSON, else the lone digits from 0 to 3 where the number fits.

    Of a single grade the last digit counts: a model may reason first.
    """
    try:
        value = json.loads(reply)
        found = [value["grade"]] if count == 1 else list(value["grades"])
    except (ValueError, KeyError, TypeError):
        digits = [int(digit) for digit in _LONE.findall(reply)]
        found = digits[-1:] if count == 1 else digits
    is_grade = [value in GRADES and not isinstance(value, bool) for value in found]
    return found if len(found) == count and all(is_grade) else None
