"""A plan → calls, tokens and price, before anything is spent.

Prompts are rendered for a sample of the draws, and counted at four characters a token (two where
most of the text is not Latin script). Output tokens are guessed from the lengths that the draw
asks for, between a quarter and the whole of `max_tokens`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from generator import sampling, writing
from generator.plan import Plan
from generator.records import Completion, Draw, Prompt, Task

SAMPLE = 200
_NUMBER_OF_WORDS = re.compile(r"(\d+) words")
_FILLER = "x" * 400


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens of a run; the price in US dollars, low and high."""

    draws: int
    calls: int
    brainstorm_calls: int
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int
    usd_low: float
    usd_high: float
    by_family: dict[str, int]


def estimate(plan: Plan) -> Estimate:
    """What a run of the plan's `count` draws would ask for if every answer parsed at once."""
    families: Counter[str] = Counter()
    brainstorms: dict[tuple[str, str], int] = {}
    writing = 0
    sample: list[Draw] = []
    for slot in islice(sampling.slots(plan.quotas, plan.languages), plan.config.count):
        quota, language, index = slot
        form = quota.family.forms[quota.form]
        families[quota.name] += 1
        writing += len(form.steps)
        if form.brainstorm:
            brainstorms[quota.name, language] = index // form.brainstorm.tasks_per_call + 1
        # By hash: every n-th would be of one family where the order of families repeats.
        if (
            sampling.uniform("estimate", quota.name, language, str(index)) * plan.config.count
            < SAMPLE
        ):
            sample.append(_draw(plan, slot))
    prompts = [prompt for draw in sample for prompt in _prompts(plan, draw)]
    brainstorm_calls = sum(brainstorms.values())
    calls = writing + brainstorm_calls
    scale = calls / max(len(prompts), 1)
    tokens_in = round(scale * sum(_input_tokens(prompt) for prompt in prompts))
    low = round(scale * sum(_output_tokens(prompt)[0] for prompt in prompts))
    high = round(scale * sum(_output_tokens(prompt)[1] for prompt in prompts))
    llm = plan.config.llm
    price_in = tokens_in * llm.input_usd_per_million / 1e6
    return Estimate(
        draws=plan.config.count,
        calls=calls,
        brainstorm_calls=brainstorm_calls,
        input_tokens=tokens_in,
        output_tokens_low=low,
        output_tokens_high=high,
        usd_low=price_in + low * llm.output_usd_per_million / 1e6,
        usd_high=price_in + high * llm.output_usd_per_million / 1e6,
        by_family=dict(families),
    )


def _draw(plan: Plan, slot: sampling.Slot) -> Draw:
    quota, language, index = slot
    seed = plan.config.seed
    return sampling.example_draw(quota.name, quota.family, quota.form, language, index, seed)


def _prompts(plan: Plan, draw: Draw) -> list[Prompt]:
    """The prompts of one draw, with filler where an earlier answer would stand."""
    has_task = plan.form(draw).brainstorm is not None
    task = Task(draw.family, draw.language, "x" * 100, "", "") if has_task else None
    steps = writing.example_steps(plan, draw, task)
    prompts = [next(steps)]
    try:
        while True:
            fields = plan.form(draw).steps[prompts[-1].step].reply
            filler = {n: f.one_of[0] if f.one_of else _FILLER for n, f in fields.items()}
            prompts.append(steps.send(Completion(json.dumps(filler))))
    except StopIteration:
        return prompts


def _input_tokens(prompt: Prompt) -> int:
    return sum(_tokens(message.content) for message in prompt.messages) + 8


def _output_tokens(prompt: Prompt) -> tuple[int, int]:
    asked = [
        int(number)
        for message in prompt.messages
        for number in _NUMBER_OF_WORDS.findall(message.content)
    ]
    fields = prompt.schema.count('"type": "string"')
    words = max(asked, default=40)
    low = min(prompt.params.max_tokens, round(words * 1.3) + 20)
    return low, min(prompt.params.max_tokens, max(low, round(words * 2.5 * max(fields - 1, 1))))


def _tokens(text: str) -> int:
    latin = sum(1 for character in text if ord(character) < 0x250)
    return latin // 4 + (len(text) - latin) // 2
