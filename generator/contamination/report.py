"""Matches → lines of a file, and a report by evaluation set: counts by check, and examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from generator.contamination.check import Found
from generator.contamination.index import Match

_EXAMPLES = 5
Json = dict[str, Any]


class Line(NamedTuple):
    """What was found of a record; `item` is its place among the records that were looked at."""

    item: int
    record: str
    found: Sequence[Found]


def to_line(line: Line) -> str:
    """One line of JSON, without the newline."""
    rows = [{"side": side, "text": text, "match": match} for side, text, match in line.found]
    return json.dumps({"item": line.item, "record": line.record, "found": rows}, ensure_ascii=False)


def from_line(text: str) -> Line:
    """The inverse of `to_line`."""
    row = json.loads(text)
    found = [Found(item["side"], item["text"], Match(*item["match"])) for item in row["found"]]
    return Line(row["item"], row["record"], found)


class Report:
    """Gathers what was found of the records, one by one."""

    def __init__(self, texts: Mapping[str, int]) -> None:
        """`texts`: how many texts each set has."""
        self._sets = {name: _Set(number) for name, number in texts.items()}
        self.records = self.matched = 0

    def add(self, line: Line) -> None:
        """What was found of one record."""
        self.matched += bool(line.found)
        for name in {match.set for _, _, match in line.found}:
            self._sets[name].records += 1
        for found in line.found:
            self._sets[found.match.set].add(line.record, found)

    def to_dict(self) -> Json:
        """Records, those that match, and by set: matches by check, side and kind of its texts."""
        sets = {name: found.to_dict() for name, found in self._sets.items()}
        return {"records": self.records, "matched": self.matched, "sets": sets}


class _Set:
    """The matches of one evaluation set."""

    def __init__(self, texts: int) -> None:
        self.texts, self.records = texts, 0
        self._found: set[str] = set()
        self._counts = {name: Counter[str]() for name in ("checks", "sides", "kinds")}
        self._examples: list[Json] = []

    def add(self, record: str, found: Found) -> None:
        match = found.match
        self._found.add(match.id)
        for name, value in (("checks", match.how), ("sides", found.side), ("kinds", match.kind)):
            self._counts[name][value] += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(
                {
                    "record": record, "side": found.side, "check": match.how, "score": match.score,
                    "text": found.text, "eval_id": match.id, "eval_text": match.text,
                }
            )  # fmt: skip

    def to_dict(self) -> Json:
        counts = {name: dict(sorted(found.items())) for name, found in self._counts.items()}
        return {
            "texts": self.texts, "texts_found": len(self._found), "records": self.records,
            **counts, "examples": self._examples,
        }  # fmt: skip
