"""What came of each draw → lines of the stages' files: filtered and serialised once.

Draws come in any order; the lines wait in a spool and are written in the order of the run.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

from generator.counts import Counts, label_of
from generator.filters import Chain, apply
from generator.generation import Written
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import write_whole
from generator.records import Draw, Record, Rejected, Task, to_json_bytes
from generator.runs import RunFolder
from generator.spool import NEVER, Spool
from generator.stagefile import Output

# What a line of the spool is: a task, a rejection, a record that the filters keep, one that they
# drop, and why they drop it. Behind the mark stands what it counts as, then a tab, then its JSON.
_TASK, _REJECTED, _KEPT, _DROPPED, _WHY = b"T", b"R", b"K", b"D", b"W"


class Lines:
    """The draws from number `start` on, as the lines that they become."""

    def __init__(self, plan: Plan, spool: Spool, start: int, watch: Watch) -> None:
        self._chains = plan.chains
        self._spool = spool
        self.start, self.watch = start, watch

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number - self.start in self._spool

    def add(self, written: Written, mark: int = NEVER) -> None:
        """Take a draw that is done; `mark` is that of the journal, for a run that goes on here."""
        lines = [_line(_TASK, task) for task in written.tasks]
        outcome = written.outcome
        verdict: Record | Rejected = outcome
        if isinstance(outcome, Record):
            verdict = filtered(outcome, self._chains[outcome.family], written.draw)
        if isinstance(outcome, Rejected):
            lines.append(_line(_REJECTED, outcome))
        elif isinstance(verdict, Record):
            lines.append(_line(_KEPT, outcome))
        else:
            lines += (_line(_DROPPED, outcome), _line(_WHY, verdict))
        self.watch.advance(kept=isinstance(verdict, Record))
        # A request that failed is asked again by the next run.
        is_final = isinstance(outcome, Record) or outcome.stage != "generate"
        self._spool.add(written.number - self.start, lines, mark if is_final else NEVER)

    def write(self, run: RunFolder, end: int, *, with_filter: bool) -> tuple[Counts, Counts]:
        """Write the draws before number `end`: `stages/generate`, `tasks.jsonl`, `stages/filter`.

        Behind what is there, unless they are the first. Returns the counts of the two stages.
        """
        extend = self.start > 0
        heads: Counter[bytes] = Counter()
        with ExitStack() as stack:
            generated = stack.enter_context(Output(run, "generate", extend=extend))
            tasks = stack.enter_context(write_whole(run.tasks, extend=extend)).buffer
            kept = None
            if with_filter:
                kept = stack.enter_context(Output(run, "filter", extend=extend))
            for entry in self._spool.lines(end - self.start):
                head, _, line = entry.partition(b"\t")
                kind = head[:1]
                heads[head] += 1
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
        return _counts(heads, _REJECTED + _KEPT + _DROPPED), _counts(heads, _KEPT + _WHY)


def _line(kind: bytes, item: Record | Rejected | Task) -> bytes:
    label = "" if isinstance(item, Task) else label_of(item)
    return b"%b%b\t%b" % (kind, label.encode(), to_json_bytes(item))


def _counts(heads: Counter[bytes], kinds: bytes) -> Counts:
    counts = Counts()
    for head, times in heads.items():
        if head[:1] in kinds:
            counts.tally(head[1:].decode(), times)
    return counts


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
