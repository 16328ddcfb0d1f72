"""What rivals' filters say of the planted and the clean rows, beside trine's rules.

They judge documents, so they are shown the positives and the negatives of rows whose texts are
documents, one by one: a row is rejected where one of its texts is.
"""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from generator.records import Record

RIVALS = Path(__file__).parent / "rivals"
DOCUMENTS = frozenset({"short-long", "cross-lingual"})
Reasoned = Callable[[Record], str | None]


def rejecting(records: Sequence[Record], name: str, python: str) -> list[frozenset[str]]:
    """For each record the filters of a rival that reject one of its texts.

    `python`: the interpreter of a virtual environment that has the rival.
    """
    texts = [_documents(record) for record in records]
    lines = "".join(
        json.dumps({"text": text, "language": record.text_language}) + "\n"
        for record, of_record in zip(records, texts, strict=True)
        for text in of_record
    )
    command = [python, str(RIVALS / f"{name}_filters.py")]
    output = subprocess.run(command, input=lines, text=True, stdout=subprocess.PIPE, check=True)
    said = map(json.loads, output.stdout.splitlines())
    return [frozenset(f for _ in of_record for f in next(said)) for of_record in texts]


def _documents(record: Record) -> list[str]:
    return [text.text for text in (*record.positives, *record.negatives)]


def print_rivals(
    planted: Mapping[tuple[str, str], Sequence[Record]],
    clean: Mapping[str, Sequence[Record]],
    rival: str,
    reason_of: Reasoned,
) -> None:
    """Recall a class and language, false rejections a language: trine's, then each filter's.

    `planted` is by fault and language, `clean` by language; `rival` is NAME=PYTHON.
    """
    name, _, python = rival.partition("=")
    groups = {f"{fault} {language}": rows for (fault, language), rows in planted.items()}
    groups |= {f"clean {language}": rows for language, rows in clean.items()}
    rows = [row for group in groups.values() for row in group]
    said = iter(rejecting(rows, name, python))
    shares: dict[str, dict[str, float]] = {}
    for group, members in groups.items():
        found: dict[str, int] = defaultdict(int)
        for row in members:
            filters = next(said)
            found["trine"] += reason_of(row) is not None
            found["all of them"] += bool(filters)
            for filter_ in filters:
                found[filter_] += 1
        shares[group] = {key: count / len(members) for key, count in found.items()}
    names = ["trine", *sorted({key for row in shares.values() for key in row} - {"trine"})]
    print(f"\n{name}'s filters on the rows whose texts are documents: share rejected")
    print(f"{'':<24} {'n':>5} " + " ".join(f"{key:>17}" for key in names))
    for group, members in groups.items():
        told = " ".join(f"{shares[group].get(key, 0.0):>17.3f}" for key in names)
        print(f"{group:<24} {len(members):>5} {told}")
