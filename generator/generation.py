"""Draws → records: the steps of many draws at once, each asked of a model or of the journal.

What is written depends on the answers alone, not on when they come: `write` gives every draw its
number in the run's order, and whoever listens puts them in that order (`spool.py`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

from generator.errors import RequestFailed
from generator.llm.journal import Journal
from generator.llm.pool import cancelled, each
from generator.llm.turns import Turns
from generator.plan import Plan
from generator.records import Completion, Draw, Prompt, Rejected, Task
from generator.writing import (
    Outcome,
    Steps,
    Tasks,
    brainstorm_of,
    brainstorm_steps,
    example_steps,
    is_first_of_call,
    pick_task,
)

T = TypeVar("T")
Ask = Callable[[Prompt], Awaitable[Completion]]
UNANSWERED = "unanswered"
# About 10 kB each. The draws of one call come close together: a few calls a language are in use.
_BRAINSTORMS_HELD = 1024


class Written(NamedTuple):
    """A draw that is done: its number in the run's order, and what came of it.

    `tasks` are those of its brainstorming call, at the call's first draw and nowhere else.
    """

    number: int
    draw: Draw
    outcome: Outcome
    tasks: tuple[Task, ...] = ()


async def write(
    plan: Plan,
    draws: Iterable[tuple[int, Draw]],
    ask: Ask,
    on_written: Callable[[Written], None],
    *,
    limit: int,
) -> None:
    """Write the numbered draws, at most `limit` at once; each goes to `on_written` when it is done.

    What there is to do with an answer (parsing, filters, the next prompt) takes longer than to read
    and commit one: so it is done one piece in a turn of the event loop, and answers that have
    arrived meanwhile go first. Raises LLMError as soon as the model cannot be used.
    """
    turns = Turns()

    async def paced(prompt: Prompt) -> Completion:
        answer = await ask(prompt)
        await turns.wait()
        return answer

    tasks = _Brainstorms(plan, paced)

    async def one(numbered: tuple[int, Draw]) -> None:
        await turns.wait()
        written = await _written(plan, *numbered, tasks, paced)
        await turns.wait()
        on_written(written)

    try:
        await each(draws, one, limit=limit)
    finally:
        await tasks.aclose()


def from_journal(journal: Journal) -> Ask:
    """Answers from the journal alone: what it has none of has failed, or is `unanswered`."""

    async def answer(prompt: Prompt) -> Completion:
        known = journal.get(prompt.key)
        if known is None:
            raise RequestFailed(*(journal.last_error(prompt.key) or (UNANSWERED, "")))
        return known

    return answer


async def _written(plan: Plan, number: int, draw: Draw, calls: _Brainstorms, ask: Ask) -> Written:
    if not plan.form(draw).brainstorm:
        return Written(number, draw, await _drive(example_steps(plan, draw, None), ask))
    tasks = await calls.of(draw)
    task = pick_task(plan, draw, tasks)
    if isinstance(task, Rejected):
        return Written(number, draw, task)
    told = tasks if isinstance(tasks, tuple) and is_first_of_call(plan, draw) else ()
    return Written(number, draw, await _drive(example_steps(plan, draw, task), ask), told)


class _Brainstorms:
    """Brainstorming calls, each made once however many draws wait for it."""

    def __init__(self, plan: Plan, ask: Ask) -> None:
        self._plan = plan
        self._ask = ask
        self._held: OrderedDict[tuple[str, str, str, int], asyncio.Task[Tasks]] = OrderedDict()

    async def of(self, draw: Draw) -> Tasks:
        step = self._plan.form(draw).brainstorm
        index = draw.index // step.tasks_per_call if step else 0
        key = (draw.family, draw.language, draw.passage, index)
        call = self._held.get(key)
        if call is None:
            steps = brainstorm_steps(self._plan, brainstorm_of(self._plan, draw))
            call = self._held[key] = asyncio.create_task(_drive(steps, self._ask))
            self._shrink()
        return call.result() if call.done() else await asyncio.shield(call)

    def _shrink(self) -> None:
        # A call dropped too early is only looked up in the journal again, once it is answered.
        oldest = next(iter(self._held))
        if len(self._held) > _BRAINSTORMS_HELD and self._held[oldest].done():
            del self._held[oldest]

    async def aclose(self) -> None:
        """End the calls that nobody waits for any more."""
        await cancelled(self._held.values())


async def _drive(steps: Steps[T], ask: Ask) -> T:
    try:
        prompt = next(steps)
        while True:
            try:
                completion = await ask(prompt)
            except RequestFailed as exc:
                prompt = steps.throw(exc)
            else:
                prompt = steps.send(completion)
    except StopIteration as stop:
        result: T = stop.value
        return result
