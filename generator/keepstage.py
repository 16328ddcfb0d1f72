"""The last step of a run that refines: no more than `keep` records, of each share no more than its.

    stages/refine.jsonl → records.jsonl, and the rest → rejected.jsonl

Rounds end with a few records more than were asked for. The first ones stay, in the order of the
run; the others are rejected, and raising `keep` takes them back.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from generator.plan import Plan
from generator.recordfile import read_lines, write_whole
from generator.records import Record, Rejected, to_json
from generator.runs import RunFolder
from generator.shares import share_of_record, targets

NAME = "keep"


def first_of(source: Path, plan: Plan, run: RunFolder) -> Counter[str]:
    """Write what stays to `records.jsonl`, the rest behind `rejected.jsonl`.

    Without `keep` all stays. Returns how many were rejected by `family|keep|reason`.
    """
    lost: Counter[str] = Counter()
    if plan.config.keep is None:
        with write_whole(run.records) as file, source.open(encoding="utf-8") as lines:
            shutil.copyfileobj(lines, file)
        return lost
    decide = _decision(plan)
    with write_whole(run.records) as kept, write_whole(run.rejected, extend=True) as rejected:
        for record in read_lines(Record, source):
            item = decide(record)
            if isinstance(item, Rejected):
                lost[f"{item.family}|{NAME}|{item.reason}"] += 1
            (kept if isinstance(item, Record) else rejected).write(to_json(item) + "\n")
    return lost


def _decision(plan: Plan) -> Callable[[Record], Record | Rejected]:
    """What decides about one record after the other."""
    wanted = targets(plan)
    seen: Counter[str] = Counter()

    def decide(record: Record) -> Record | Rejected:
        share = share_of_record(plan, record)
        seen[share] += 1
        if seen[share] <= wanted.get(share, 0):
            return record
        of = f"{share}: " if share else ""
        return Rejected(
            stage=NAME,
            reason="over_share" if share else "over_keep",
            family=record.family,
            language=record.language,
            detail=f"{of}{wanted.get(share, 0):,} kept before",
            record=record,
        )

    return decide
