"""The records that some ids stand for, found in a run's files: whom a dropped record resembles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from generator.records import Record, Rejected, from_json

_ID_CHARS = 32
_RECORD, _WITHIN = b'{"id":"', b'"record":{"id":"'


def find_records(ids: Collection[str], paths: Iterable[Path]) -> Mapping[str, Record]:
    """Those of the ids that stand in the files, kept or rejected; each file is read once.

    Lines are those that trine writes; only the ones that are looked for are parsed.
    """
    wanted = {record_id.encode() for record_id in ids}
    found: dict[str, Record] = {}
    for path in paths:
        if not wanted or not path.is_file():
            continue
        with path.open("rb") as file:
            for line in file:
                at = _id_at(line)
                own = line[at : at + _ID_CHARS]
                if at >= 0 and own in wanted:
                    wanted.remove(own)
                    found[own.decode()] = _record(line)
    return found


def _id_at(line: bytes) -> int:
    if line.startswith(_RECORD):
        return len(_RECORD)
    within = line.find(_WITHIN)
    return within + len(_WITHIN) if within >= 0 else -1


def _record(line: bytes) -> Record:
    if line.startswith(_RECORD):
        return from_json(Record, line)
    found = from_json(Rejected, line).record
    assert found is not None  # noqa: S101 - the line has one
    return found
