"""The first stage of a run: every draw asked for, written, filtered, and put in its order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

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

_SPOOL_LAYOUT = "1"
_COLLECT_EVERY = 50_000


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
    with Journal(run.journal) as journal, _spool(plan, run, start, journal.mark) as spool:
        lines = Lines(plan, spool, start, watch)
        plan.load()
        with _few_collections():
            work = _write(plan, (start, count), journal, open_model, lines, run.judged)
            end, counts.stopped = asyncio.run(work)
        _extend(plan, run, lines, end, counts)
        if not counts.stopped and not counts.rejected_by("generate"):
            run.finish("generate", key, counts.to_dict())
            spool.remove()
    return counts


def drawn(plan: Plan, run: RunFolder) -> int:
    """How many draws of this plan the run's files hold, where nothing of them is left to ask."""
    done = run.finished("generate", _key(plan))
    return Counts.from_dict(done).seen.total() if done else 0


def _key(plan: Plan) -> str:
    return content_id(plan.writing_key(), version("trine"))


def _spool(plan: Plan, run: RunFolder, start: int, mark: int) -> Spool:
    """What a killed run has made of its answers belongs to one plan, its filters and its start."""
    key = content_id(_SPOOL_LAYOUT, _key(plan), filters_key(plan), str(start))
    return Spool(run.spool, key, mark)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of cycles look seldom, and never at what lives as long as the run.

    Hundreds of draws under way are many objects and few cycles: to look through them again and
    again took a seventh of the time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _extend(plan: Plan, run: RunFolder, lines: Lines, end: int, counts: Counts) -> None:
    """Write the files of this stage, and of the next one where it was up to date, up to `end`."""
    key, source = filters_key(plan), run.stage("generate")
    begun = run.begun("filter", key, source) if lines.start else None
    with_filter = lines.start == 0 or (begun is not None and begun.is_all)
    filtered = Counts.from_dict(begun.counts) if begun else Counts()
    for stage in ("generate", "filter") if with_filter else ("generate",):
        run.unfinish(stage)
    more_generated, more_filtered = lines.write(run, end, with_filter=with_filter)
    counts += more_generated
    if with_filter:
        filtered += more_filtered
        run.finish("filter", key, filtered.to_dict(), source)


async def _write(
    plan: Plan,
    draws: tuple[int, int],
    journal: Journal,
    open_model: Callable[[], LLM],
    lines: Lines,
    judged: Iterable[Path],
) -> tuple[int, str]:
    """The number of the draw where the answers end, and what stopped them, if it is not the last.

    Raises LLMError and Interrupted.
    """
    start, count = draws
    watch = lines.watch
    budget = open_budget(plan.config, plan.prices, (journal.path, *judged))
    llm = open_model()
    try:
        pool = Pool(Metered(llm, budget), journal)
        watch.begin("generate", sum(number not in lines for number in range(start, count)))
        watch.traffic(pool.traffic)

        def on_written(written: Written) -> None:
            pool.traffic.cost_usd = budget.spent.usd
            lines.add(written, journal.mark)

        numbered = plan.draws_but(lines, count, start)
        # Twice as many draws as slots: those that wait for a brainstorming call leave none idle.
        limit = 2 * pool.concurrency
        work = generation.write(plan, numbered, pool.ask, on_written, limit=limit)
        await unless_interrupted(work, pool, watch)
    except BudgetReached as exc:
        end = max(start, _last_answered(plan, count, journal))
        ask, rest = generation.from_journal(journal), plan.draws_but(lines, end, start)
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
