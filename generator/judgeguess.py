"""What judges may be asked, before there is a record: calls, tokens and price, low and high.

As if every draw gave a record. A judge that sees what the encoder flags is asked nothing at least,
and about every text at most; a strong one about no text, or every one. A grade is some 8 tokens,
and up to four times that where a model talks. Texts are as long as the draw asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from generator.mine.judge import judge_prompt
from generator.mineconfig import LLM_TEACHER
from generator.plan import Plan
from generator.prices import Money
from generator.records import Draw, Params, make_record
from generator.refineconfig import JudgeConfig
from generator.text import guessed_tokens

_GRADE_TOKENS = 8
_TALKS = 4


@dataclass(frozen=True, slots=True)
class Judging:
    """What one judge may be asked, low and high; its price is None where that is not known."""

    calls_low: int
    calls_high: int
    input_tokens_low: int
    input_tokens_high: int
    output_tokens_low: int
    output_tokens_high: int
    usd: Money | None


class Size(NamedTuple):
    """A draw, and how many tokens the texts of its record may have together."""

    draw: Draw
    low: float
    high: float


class _Asked(NamedTuple):
    calls: float = 0.0
    input: float = 0.0
    output: float = 0.0

    def times(self, factor: float) -> _Asked:
        return _Asked(*(factor * value for value in self))

    def plus(self, other: _Asked) -> _Asked:
        return _Asked(*map(sum, zip(self, other, strict=True)))


_NOTHING = _Asked()


def guess(plan: Plan, sizes: Iterable[Size], scale: float) -> dict[str, Judging]:
    """By judge, of a sample of draws that stand for `scale` times as many."""
    found: dict[str, tuple[_Asked, _Asked]] = {}
    guessing = _Guess(plan)
    for size in sizes:
        for model, low, high in (*guessing.refining(size), *guessing.mining(size)):
            before = found.get(model, (_NOTHING, _NOTHING))
            found[model] = (before[0].plus(low), before[1].plus(high))
    return {
        model: _judging(plan, model, low.times(scale), high.times(scale))
        for model, (low, high) in found.items()
    }


class _Guess:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._frame = cache(self._frame_tokens)

    def refining(self, size: Size) -> Iterator[tuple[str, _Asked, _Asked]]:
        """Model, least and most that refinement asks it about a record."""
        config = self._plan.config
        judge = config.refine.judge if config.refine else None
        if config.refine is None or judge is None:
            return
        texts = self._texts(size.draw) + (config.mine.negatives if config.mine else 0)
        texts += judge.candidates if config.refine.encoder else 0
        low, high = (self._graded(judge, size.draw, texts, n) for n in (size.low, size.high))
        cheap = 1 + judge.again
        yield judge.model, low.times(cheap) if judge.on == "all" else _NOTHING, high.times(cheap)
        if judge.strong is not None:
            yield judge.strong.model, _NOTHING, high

    def mining(self, size: Size) -> Iterator[tuple[str, _Asked, _Asked]]:
        """The same of mining, which asks about every candidate."""
        config = self._plan.config
        if config.mine is None or config.mine.teacher_name != LLM_TEACHER:
            return
        texts = self._texts(size.draw) + config.mine.rank_max
        prompt = judge_prompt(config.llm.model, "", "", Params())
        frame = guessed_tokens(prompt.messages[0].content)
        low, high = (
            _Asked(texts, texts * (frame + 2 * self._length(size.draw, n)), texts * _GRADE_TOKENS)
            for n in (size.low, size.high)
        )
        yield config.llm.model, low, high

    def _texts(self, draw: Draw) -> int:
        """How many texts a record has beside its query."""
        template = self._plan.form(draw).record
        return len(template.positives) + len(template.negatives)

    def _length(self, draw: Draw, written: float) -> float:
        """Tokens of a text of the record, or of its query: which is the long one is not known."""
        return written / (self._texts(draw) + 1)

    def _graded(self, judge: JudgeConfig, draw: Draw, texts: int, written: float) -> _Asked:
        """All texts of a record, graded once."""
        calls = 1 if judge.listwise else texts
        frame = self._frame(draw.family, draw.language, texts // calls)
        tokens = (calls + texts) * self._length(draw, written)
        return _Asked(calls, calls * frame + tokens, texts * _GRADE_TOKENS)

    def _frame_tokens(self, family: str, language: str, texts: int) -> int:
        """Tokens of a request but for the texts."""
        from generator.refinejudge import Templates  # noqa: PLC0415 - loads the back ends

        templates = Templates(self._plan.renderer.folder, self._plan.taxonomy.languages)
        record = make_record(
            family=family, task="x" * 80, language=language, query="", positives=("",)
        )
        messages = templates(record, [""] * texts).messages
        return sum(guessed_tokens(message.content) for message in messages)


def _judging(plan: Plan, model: str, low: _Asked, high: _Asked) -> Judging:
    talked = high.output * _TALKS
    usd = [
        plan.prices.usd(model, asked, written, batched=batched)
        for batched in (False, True)
        for asked, written in ((low.input, low.output), (high.input, talked))
    ]
    known = [price for price in usd if price is not None]
    return Judging(
        calls_low=round(low.calls),
        calls_high=round(high.calls),
        input_tokens_low=round(low.input),
        input_tokens_high=round(high.input),
        output_tokens_low=round(low.output),
        output_tokens_high=round(talked),
        usd=Money(*known) if known else None,
    )
