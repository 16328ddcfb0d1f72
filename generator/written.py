"""What came of each draw → lines of the stages' files: filtered, serialised and counted once.

Draws come in any order; the lines wait in a spool and are written in the order of the run.
"""

from __future__ import annotations

from contextlib import ExitStack

from generator.counts import Counts
from generator.filters import Chain, apply
from generator.generation import Written
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import write_whole
from generator.records import Draw, Record, Rejected, to_json_bytes
from generator.runs import RunFolder
from generator.spool import Spool
from generator.stagefile import Output

# What a line of the spool is: a task, a rejection, a record that the filters keep, one that they
# drop, and why they drop it.
_TASK, _REJECTED, _KEPT, _DROPPED, _WHY = b"T", b"R", b"K", b"D", b"W"


class Lines:
    """The draws from number `start` on, as the lines that they become."""

    def __init__(self, plan: Plan, spool: Spool, start: int, watch: Watch) -> None:
        self.generated, self.filtered = Counts(), Counts()
        self._chains = plan.chains
        self._spool = spool
        self.start, self.watch = start, watch

    def __contains__(self, number: int) -> bool:
        return number - self.start in self._spool

    def add(self, written: Written) -> None:
        """Take a draw that is done."""
        lines = [_TASK + to_json_bytes(task) for task in written.tasks]
        outcome = written.outcome
        self.generated.add(outcome)
        if isinstance(outcome, Record):
            verdict = filtered(outcome, self._chains[outcome.family], written.draw)
            self.filtered.add(verdict)
            line = to_json_bytes(outcome)
            if isinstance(verdict, Record):
                lines.append(_KEPT + line)
            else:
                lines += (_DROPPED + line, _WHY + to_json_bytes(verdict))
            self.watch.advance(kept=isinstance(verdict, Record))
        else:
            lines.append(_REJECTED + to_json_bytes(outcome))
            self.watch.advance(kept=False)
        self._spool.add(written.number - self.start, lines)

    def write(self, run: RunFolder, end: int, *, with_filter: bool) -> None:
        """Write the draws before number `end`: `stages/generate`, `tasks.jsonl`, `stages/filter`.

        Behind what is there, unless they are the first.
        """
        extend = self.start > 0
        with ExitStack() as stack:
            generated = stack.enter_context(Output(run, "generate", extend=extend))
            tasks = stack.enter_context(write_whole(run.tasks, extend=extend)).buffer
            kept = None
            if with_filter:
                kept = stack.enter_context(Output(run, "filter", extend=extend))
            for line in self._spool.lines(end - self.start):
                kind, line = line[:1], line[1:]  # noqa: PLW2901 - the line behind its mark
                if kind == _TASK:
                    tasks.write(line + b"\n")
                elif kind == _REJECTED:
                    generated.add_rejected(line)
                elif kind != _WHY:
                    generated.add_passed(line)
                if kept and kind == _KEPT:
                    kept.add_passed(line)
                if kept and kind == _WHY:
                    kept.add_rejected(line)


def filtered(record: Record, chain: Chain, draw: Draw | None = None) -> Record | Rejected:
    """The record, or why its family's rules reject it.

    With its `draw` at hand that need not be read out of the record.
    """
    reject = apply(chain, record, None if draw is None else draw.values)
    if reject is None:
        return record
    return Rejected(
        stage="filter",
        reason=reject.reason,
        family=record.family,
        language=record.language,
        detail=reject.detail,
        record=record,
    )
