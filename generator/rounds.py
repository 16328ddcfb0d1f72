"""How many draws it takes to end with `keep` records, and the stages of that many.

What comes before mining decides about a record by those before it alone, so there the result is the
shortest prefix of the draws that reaches `keep`. Refinement compares every record with all of them:
one more draw may change any verdict. So a run that refines draws in rounds, and the verdicts are
those of the last round, over all that is drawn by then. The first round is a third more than
`keep`; the next ones are as long as what became of the draws so far asks for. They end when `keep`
records are left (or `count` is reached), and what is left over goes, the latest draws first.

A round depends on the verdicts of the one before and on nothing else, and `stages/rounds.json`
holds them: so a run ends with the same files however often it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil

from generator import stages, writestage
from generator.llm.base import LLM
from generator.minestage import mine_key, mine_run
from generator.plan import Plan
from generator.progress import Watch
from generator.records import content_id
from generator.refinestage import refine_key, refine_run
from generator.runs import RunFolder
from generator.shares import FIRST_GUESS, more_draws, next_round, store, stored, with_rounds
from generator.summary import Summary


@dataclass(frozen=True, slots=True)
class Work:
    """Where a run works, what writes it, and who watches."""

    folder: RunFolder
    open_model: Callable[[], LLM]
    watch: Watch


def draw(plan: Plan, work: Work) -> Summary:
    """Draw as much as the configuration asks for, through every stage; raises UserError."""
    config = plan.config
    if config.keep is None:
        return _refined(plan, _decided(plan, work, config.count), work)
    if config.keep_shares is not None:
        return _until_shares(plan, work)
    if config.refine is not None:
        return _until_refined(plan, work, config.keep)
    return _refined(plan, _until_kept(plan, work, config.keep), work)


def _until_kept(plan: Plan, work: Work, keep: int) -> Summary:
    """The shortest prefix of the draws that gives `keep` records."""
    config, folder = plan.config, work.folder
    guess = max(ceil(keep * FIRST_GUESS), writestage.drawn(plan, folder))
    count = min(config.count, guess)
    while True:
        summary = _decided(plan, work, count)
        if summary.stopped or (summary.short and count == config.count):
            return summary
        if not summary.short:
            exact = stages.draws_until(folder, config.verdicts, keep)
            return summary if exact == count else _decided(plan, work, exact)
        more = more_draws(keep - summary.kept, summary.kept, count)
        count = min(config.count, count + more)


def _until_refined(plan: Plan, work: Work, keep: int) -> Summary:
    """Rounds until refinement leaves `keep` records."""
    key = _rounds_key(plan)
    ends = stored(work.folder, key) or [ceil(keep * FIRST_GUESS)]
    while True:
        count = min(plan.config.count, ends[-1])
        summary = _refined(plan, _decided(plan, work, count), work)
        if summary.stopped or not summary.short or count == plan.config.count:
            return summary
        more = more_draws(keep - summary.kept, summary.kept, count, surely=True)
        ends.append(count + more)
        store(work.folder, key, ends)


def _until_shares(plan: Plan, work: Work) -> Summary:
    """Rounds until every share of `keep` is kept; see `shares.py`."""
    config = plan.config
    plan = with_rounds(plan, work.folder, _rounds_key(plan))
    while True:
        count = sum(1 for _ in islice(plan.slots(), config.count))
        summary = _decided(plan, work, count)
        if config.refine is not None:
            summary = _refined(plan, summary, work)
        longer = next_round(plan, work.folder, count)
        if summary.stopped or longer is plan or count == config.count:
            return summary if config.refine is not None else _refined(plan, summary, work)
        plan = longer


def _rounds_key(plan: Plan) -> str:
    """A hash of all that decides what is kept of a draw."""
    config = plan.config
    keys = [stages.stage_key(plan, name) for name in config.verdicts[1:]]
    if config.refine is not None:
        keys += [mine_key(config.mine) if config.mine else "", refine_key(config, config.refine)]
    return content_id(plan.writing_key(), *keys, str(config.keep), str(config.keep_shares))


def _decided(plan: Plan, work: Work, count: int) -> Summary:
    """The first draws through the stages before mining."""
    generated = writestage.generate(plan, work.folder, count, work.open_model, work.watch)
    filtered = stages.filter_records(plan, work.folder, work.watch)
    later = stages.decide(plan, work.folder, work.watch)
    summary = Summary(
        folder=work.folder.path,
        drawn=generated.seen.total() if generated.stopped else count,
        generated=generated,
        filtered=filtered,
        deduped=later.pop("dedupe"),
        notes=plan.notes,
        short=False,
        stopped=generated.stopped,
        later=later,
    )
    return _with_short(plan, summary)


def _refined(plan: Plan, summary: Summary, work: Work) -> Summary:
    """And through mining and refinement, where the run has them."""
    mined = mine_run(work.folder, plan, work.watch)
    refined = refine_run(work.folder, plan, work.watch)
    reasons = (found.stopped for found in (summary, mined, refined) if found is not None)
    stopped = next(filter(None, reasons), "")
    return _with_short(plan, replace(summary, refined=refined, stopped=stopped))


def _with_short(plan: Plan, summary: Summary) -> Summary:
    return replace(summary, short=summary.kept < (plan.config.keep or 0))
