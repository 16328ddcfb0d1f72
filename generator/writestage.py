"""The first stage of a run: every draw asked for, written, filtered, and put in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version

from generator import generation
from generator.counts import Counts
from generator.errors import BudgetReached
from generator.generation import Written
from generator.interrupts import unless_interrupted
from generator.llm.base import LLM
from generator.llm.budget import Metered
from generator.llm.journal import Journal
from generator.llm.pool import Pool
from generator.plan import Plan
from generator.progress import Watch
from generator.records import content_id
from generator.runs import RunFolder
from generator.spending import open_budget
from generator.spool import Spool
from generator.stages import cut_run, filters_key
from generator.written import Lines


def generate(
    plan: Plan, run: RunFolder, count: int, open_model: Callable[[], LLM], watch: Watch
) -> Counts:
    """Ask for what the journal has not answered, and write what comes of every draw, in order.

    Writes `stages/generate.jsonl`, `tasks.jsonl` and, as the filters are applied on the way,
    `stages/filter.jsonl`. A longer run extends these, a shorter one cuts them. Without a marker as
    long as a request stands unanswered, so that the same command asks again.
    """
    key = _key(plan)
    done = run.finished("generate", key)
    counts = Counts.from_dict(done) if done else Counts()
    start = counts.seen.total()
    if done and start > count:
        cut_run(plan, run, count, counts, key)
    if done and start >= count:
        return counts
    with Journal(run.journal) as journal, Spool(run.stage("generate").parent) as spool:
        lines = Lines(plan, spool, start, watch)
        end, counts.stopped = asyncio.run(_write(plan, (start, count), journal, open_model, lines))
        _extend(plan, run, lines, end, counts)
    if not counts.stopped and not counts.rejected_by("generate"):
        run.finish("generate", key, counts.to_dict())
    return counts


def drawn(plan: Plan, run: RunFolder) -> int:
    """How many draws of this plan the run's files hold, where nothing of them is left to ask."""
    done = run.finished("generate", _key(plan))
    return Counts.from_dict(done).seen.total() if done else 0


def _key(plan: Plan) -> str:
    return content_id(plan.writing_key(), version("trine"))


def _extend(plan: Plan, run: RunFolder, lines: Lines, end: int, counts: Counts) -> None:
    """Write the files of this stage, and of the next one where it was up to date, up to `end`."""
    key, source = filters_key(plan), run.stage("generate")
    begun = run.begun("filter", key, source) if lines.start else None
    with_filter = lines.start == 0 or (begun is not None and begun.is_all)
    filtered = Counts.from_dict(begun.counts) if begun else Counts()
    for stage in ("generate", "filter") if with_filter else ("generate",):
        run.unfinish(stage)
    lines.write(run, end, with_filter=with_filter)
    counts += lines.generated
    if with_filter:
        filtered += lines.filtered
        run.finish("filter", key, filtered.to_dict(), source)


async def _write(
    plan: Plan,
    draws: tuple[int, int],
    journal: Journal,
    open_model: Callable[[], LLM],
    lines: Lines,
) -> tuple[int, str]:
    """The number of the draw where the answers end, and what stopped them, if it is not the last.

    Raises LLMError and Interrupted.
    """
    start, count = draws
    budget, watch = open_budget(plan, journal), lines.watch
    llm = open_model()
    try:
        pool = Pool(Metered(llm, budget), journal)
        watch.begin("generate", count - start)
        watch.traffic(pool.traffic)

        def on_written(written: Written) -> None:
            pool.traffic.cost_usd = budget.spent.usd
            lines.add(written)

        numbered = enumerate(plan.draws(count, start), start)
        # Twice as many draws as slots: those that wait for a brainstorming call leave none idle.
        limit = 2 * pool.concurrency
        work = generation.write(plan, numbered, pool.ask, on_written, limit=limit)
        await unless_interrupted(work, pool, watch)
    except BudgetReached as exc:
        end = max(start, _last_answered(plan, count, journal))
        rest = (item for item in enumerate(plan.draws(end, start), start) if item[0] not in lines)
        ask = generation.from_journal(journal)
        await generation.write(plan, rest, ask, lines.add, limit=1)
        return end, str(exc)
    finally:
        await llm.aclose()
    return count, ""


def _last_answered(plan: Plan, count: int, journal: Journal) -> int:
    """How many draws it takes, in order, to hold all that the journal has answers of."""
    missing, last = journal.draws(), 0
    for number, draw in enumerate(plan.draws(count), start=1):
        if not missing:
            break
        if draw.id in missing:
            missing.discard(draw.id)
            last = number
    return last
