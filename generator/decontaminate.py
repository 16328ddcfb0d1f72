"""A file of records against evaluation sets: a report, and the records without those that match."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from generator.contamination import EvalIndex, Report, check, rejected
from generator.contamination.report import Line
from generator.contaminationconfig import ContaminationConfig
from generator.contaminationstage import open_index
from generator.progress import Watch
from generator.recordfile import read_records, write_whole
from generator.records import Record, Rejected, to_json


def contamination_of(
    source: Path, config: ContaminationConfig, output: Path | None, watch: Watch
) -> dict[str, Any]:
    """The report on a JSONL file of records, as `Report.to_dict` has it.

    With an `output` folder: `records.jsonl` without those that match, `rejected.jsonl` with them
    and with lines that are no record, `contamination.json`. Raises UserError.
    """
    with ExitStack() as stack:
        index = stack.enter_context(closing(open_index(config, watch)))
        watch.begin("contamination", None)
        report = Report(index.sets)
        writers = [
            stack.enter_context(write_whole(output / name))
            for name in ("records.jsonl", "rejected.jsonl")
            if output is not None
        ]
        for item in _compared(source, index, report):
            watch.advance(kept=isinstance(item, Record))
            if writers:
                writers[isinstance(item, Rejected)].write(to_json(item) + "\n")
        found = report.to_dict()
        if output is not None:
            file = stack.enter_context(write_whole(output / "contamination.json"))
            json.dump(found, file, ensure_ascii=False, indent=1)
    return found


def _compared(source: Path, index: EvalIndex, report: Report) -> Iterator[Record | Rejected]:
    unread: list[Rejected] = []
    for record, found in check(_records(source, unread), index):
        yield from unread
        unread.clear()
        report.records += 1
        report.add(Line(report.records, record.id, found))
        yield rejected(record, found) if found else record
    yield from unread


def _records(source: Path, unread: list[Rejected]) -> Iterable[Record]:
    """The records of a file; lines that are none are put aside."""
    for item in read_records(source):
        if isinstance(item, Record):
            yield item
        else:
            unread.append(item)
