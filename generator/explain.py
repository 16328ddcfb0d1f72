"""Why a run kept a record, or did not: its draw, its requests, the checks that it passed.

Reads the run's files; prompts are rendered again, which calls no model.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from generator import writing
from generator.contamination import from_line
from generator.contaminationstage import matches_file
from generator.drawn import DrawnValues, draw_of, draw_with_id
from generator.errors import RequestFailed
from generator.filters import RULES
from generator.llm.journal import Journal
from generator.plan import Plan
from generator.reasons import STAGES, explained
from generator.records import Completion, Draw, Message, Prompt, Record, Rejected
from generator.runs import RunFolder

T = TypeVar("T")
Item = Record | Rejected


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a draw and its answer; `answer` is None where the journal has none."""

    step: str
    attempt: int
    model: str
    messages: tuple[Message, ...]
    answer: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to say of a record or rejection.

    `passed` names the checks that it went through, `failed` says in words which one it did not;
    `partner` is the record that it duplicates. `matches` are texts of evaluation sets.
    """

    draw: str
    values: dict[str, str]
    model: str
    passed: tuple[str, ...]
    failed: str
    partner: Record | None
    matches: tuple[str, ...]
    exchanges: tuple[Exchange, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class Explainer:
    """Explains the items of one run. `plan` is that of its manifest."""

    def __init__(self, plan: Plan, run: RunFolder) -> None:
        self._plan, self._run = plan, run
        self._values = DrawnValues(plan)

    def of(self, item: Item, partner: Record | None = None) -> Explanation:
        """All that is known of an item."""
        record = item.record if isinstance(item, Rejected) else item
        draw = draw_of(record) if record else draw_with_id(self._plan, getattr(item, "draw", ""))
        rejected = item if isinstance(item, Rejected) else None
        model = record.provenance.model if record else None
        return Explanation(
            draw=draw.id if draw else "",
            values=dict(self._values.of_draw(draw)) if draw else {},
            model=model or (self._plan.writer(draw).model if draw and rejected else ""),
            passed=tuple(self._passed(item, record)),
            failed=explained(rejected.stage, rejected.reason) if rejected else "",
            partner=partner,
            matches=tuple(self._matches(record)) if record and rejected is None else (),
            exchanges=tuple(self._exchanges(draw)) if draw else (),
        )

    def _passed(self, item: Item, record: Record | None) -> Iterator[str]:
        """What was looked at before the stage that dropped it, all where none did."""
        config = self._plan.config
        later = {"mine": config.mine is not None, "refine": config.refine is not None}
        later["keep"] = later["refine"] and config.keep is not None
        stages = (*config.verdicts[1:], *(name for name, is_on in later.items() if is_on))
        for stage in stages if record else ():
            if isinstance(item, Rejected) and item.stage == stage:
                return
            yield from self._checks(stage, item.family)

    def _checks(self, stage: str, family: str) -> Iterator[str]:
        config = self._plan.config
        if stage == "filter":
            spec = self._plan.filter_spec(family)
            yield from (f"filter {rule}" for rule in RULES if spec.get(rule, False) is not False)
        elif stage == "dedupe":
            yield f"deduplication (near_threshold {config.dedupe.near_threshold})"
        elif stage == "contamination" and config.contamination:
            names = ", ".join(Path(name).name for name in config.contamination.sets)
            yield f"comparison with {names}" + ("" if config.contamination.remove else " (report)")
        elif stage == "quota":
            caps = [f"{name} {most}" for name, most in config.caps.items()]
            shares = None if config.refine else config.keep_shares
            yield f"caps and shares ({', '.join([*caps, *filter(None, [shares])])})"
        else:
            yield STAGES.get(stage, stage)

    def _matches(self, record: Record) -> Iterator[str]:
        if self._plan.config.contamination is None or not matches_file(self._run).is_file():
            return
        with matches_file(self._run).open(encoding="utf-8") as lines:
            for line in lines:
                if record.id in line:
                    yield from (f"{m.set}: {m.text}" for _, _, m in from_line(line).found)

    def _exchanges(self, draw: Draw) -> Iterator[Exchange]:
        """The draw's requests, its brainstorming call's first, as far as they were answered."""
        if not self._run.journal.is_file() or draw.family not in self._plan.taxonomy.families:
            return
        with Journal(self._run.journal) as journal:
            task = None
            if self._plan.form(draw).brainstorm:
                call = writing.brainstorm_of(self._plan, draw)
                tasks = yield from _driven(writing.brainstorm_steps(self._plan, call), journal)
                picked = None if tasks is None else writing.pick_task(self._plan, draw, tasks)
                if picked is None or isinstance(picked, Rejected):
                    return
                task = picked
            yield from _driven(writing.example_steps(self._plan, draw, task), journal)


def _driven(steps: writing.Steps[T], journal: Journal) -> Generator[Exchange, None, T | None]:
    """Every request of the steps with its answer from the journal; what comes of them."""
    try:
        prompt = next(steps)
        while True:
            answer = journal.get(prompt.key)
            yield _exchange(prompt, answer)
            if answer is None:
                prompt = steps.throw(RequestFailed("unanswered", ""))
            else:
                prompt = steps.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _exchange(prompt: Prompt, answer: Completion | None) -> Exchange:
    tokens = answer.prompt_tokens + answer.completion_tokens if answer else 0
    text = answer.text if answer else None
    return Exchange(prompt.step, prompt.attempt, prompt.model, prompt.messages, text, tokens)
