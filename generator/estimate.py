"""A plan → calls, tokens and price by model, before anything is spent.

Prompts are rendered for a sample of the draws, and counted at four characters a token (two where
most of the text is not Latin script). Output tokens are guessed from the lengths that the draw
asks for, between a quarter and the whole of `max_tokens`; a model's thinking is not guessed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from generator import sampling, writing
from generator.judgeguess import Judging, Size, guess
from generator.plan import Plan
from generator.prices import Money
from generator.records import Completion, Draw, Prompt, Task
from generator.text import guessed_tokens

SAMPLE = 200
_NUMBER_OF_WORDS = re.compile(r"(\d+) words")
_FILLER = "x" * 400
_WORDS_A_TASK = 15


@dataclass(frozen=True, slots=True)
class Share:
    """What one model is asked; its price is None where that is not known."""

    calls: int
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int
    usd: Money | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls, tokens and price of a run; the price is None where one of its models has none.

    Calls and tokens are the writers', `judges` holds those of the judges; the price is of both.
    """

    draws: int
    calls: int
    brainstorm_calls: int
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int
    usd: Money | None
    by_family: dict[str, int]
    by_model: dict[str, Share]
    judges: dict[str, Judging]

    @property
    def most_tokens(self) -> int:
        """All tokens in and out, the judges' too, at the high end."""
        judged = sum(j.input_tokens_high + j.output_tokens_high for j in self.judges.values())
        return self.input_tokens + self.output_tokens_high + judged


def estimate(plan: Plan) -> Estimate:
    """What a run of the plan's `count` draws would ask for if every answer parsed at once."""
    families: Counter[str] = Counter()
    writing_calls = brainstorm_calls = 0
    sample: list[Draw] = []
    for slot in islice(sampling.slots(plan.quotas, plan.languages), plan.config.count):
        quota, language, index, passage = slot
        form = quota.family.forms[quota.form]
        families[quota.name] += 1
        writing_calls += len(form.steps)
        if form.brainstorm and index % form.brainstorm.tasks_per_call == 0:
            brainstorm_calls += 1
        # By hash: every n-th would be of one family where the order of families repeats.
        chance = sampling.uniform("estimate", quota.name, language, f"{passage}{index}")
        if chance * plan.config.count < SAMPLE:
            sample.append(sampling.slot_draw(slot, plan.config.seed))
    prompts = [(draw, _prompts(plan, draw)) for draw in sample]
    asked = [prompt for _, own in prompts for prompt in own]
    tasks = list(_brainstorms(plan, sample))
    shares = _shares(plan, ((asked, writing_calls), (tasks, brainstorm_calls)))
    scale = plan.config.count / max(len(sample), 1)
    judges = guess(plan, (_size(draw, own) for draw, own in prompts), scale)
    return Estimate(
        draws=plan.config.count,
        calls=writing_calls + brainstorm_calls,
        brainstorm_calls=brainstorm_calls,
        input_tokens=sum(share.input_tokens for share in shares.values()),
        output_tokens_low=sum(share.output_tokens_low for share in shares.values()),
        output_tokens_high=sum(share.output_tokens_high for share in shares.values()),
        usd=_sum([*(s.usd for s in shares.values()), *(j.usd for j in judges.values())]),
        by_family=dict(families),
        by_model=shares,
        judges=judges,
    )


def _shares(plan: Plan, samples: tuple[tuple[list[Prompt], int], ...]) -> dict[str, Share]:
    """What each model is asked: samples of prompts, scaled to the calls that they stand for."""
    sums: dict[str, list[float]] = {}
    for prompts, calls in samples:
        scale = calls / max(len(prompts), 1)
        for prompt in prompts:
            row = sums.setdefault(prompt.model, [0.0, 0.0, 0.0, 0.0])
            for place, number in enumerate((1, _input_tokens(prompt), *_output_tokens(prompt))):
                row[place] += scale * number
    return {model: _share(plan, model, *map(round, row)) for model, row in sums.items()}


def _share(plan: Plan, model: str, calls: int, tokens: int, low: int, high: int) -> Share:
    usd = [
        plan.prices.usd(model, tokens, out, batched=batched)
        for batched in (False, True)
        for out in (low, high)
    ]
    known = [price for price in usd if price is not None]
    return Share(calls, tokens, low, high, Money(*known) if known else None)


def _sum(prices: list[Money | None]) -> Money | None:
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    return Money(
        sum(price.low for price in known),
        sum(price.high for price in known),
        sum(price.batch_low for price in known),
        sum(price.batch_high for price in known),
    )


def _brainstorms(plan: Plan, sample: list[Draw]) -> Iterator[Prompt]:
    """The first prompts of the brainstorming calls that the sample's draws need."""
    calls = [writing.brainstorm_of(plan, draw) for draw in sample if plan.form(draw).brainstorm]
    for call in {call.id: call for call in calls}.values():
        yield next(writing.brainstorm_steps(plan, call))


def _prompts(plan: Plan, draw: Draw) -> list[Prompt]:
    """The prompts of one draw, with filler where an earlier answer would stand."""
    has_task = plan.form(draw).brainstorm is not None
    task = Task(draw.family, draw.language, "x" * 100, "", "") if has_task else None
    steps = writing.example_steps(plan, draw, task)
    prompts: list[Prompt] = []
    try:
        prompt = next(steps)
        while True:
            prompts.append(prompt)
            fields = plan.form(draw).steps[prompt.step].reply
            filler = {n: f.one_of[0] if f.one_of else _FILLER for n, f in fields.items()}
            prompt = steps.send(Completion(json.dumps(filler)))
    except StopIteration:
        return prompts


def _size(draw: Draw, prompts: list[Prompt]) -> Size:
    """How much the draw's record may hold: what is written of it."""
    written = [_output_tokens(prompt) for prompt in prompts]
    return Size(draw, sum(low for low, _ in written), sum(high for _, high in written))


def _input_tokens(prompt: Prompt) -> int:
    return sum(guessed_tokens(message.content) for message in prompt.messages) + 8


def _output_tokens(prompt: Prompt) -> tuple[int, int]:
    limit = prompt.params.max_tokens
    tasks = json.loads(prompt.schema)["properties"].get("tasks", {}).get("maxItems")
    if prompt.step == "brainstorm" and tasks:
        words = tasks * _WORDS_A_TASK
        return min(limit, words), min(limit, 3 * words)
    asked = [
        int(number)
        for message in prompt.messages
        for number in _NUMBER_OF_WORDS.findall(message.content)
    ]
    fields = prompt.schema.count('"type": "string"')
    words = max(asked, default=40)
    low = min(limit, round(words * 1.3) + 20)
    return low, min(limit, max(low, round(words * 2.5 * max(fields - 1, 1))))
