"""Rankings as a TREC run file, which trec_eval, ir_measures and ranx read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from generator.errors import InputError
from generator.evaluation.evaluate import Ranking
from generator.recordfile import write_whole


def write_run(rankings: Iterable[Ranking], path: Path, tag: str) -> None:
    """Write `query Q0 document rank score tag` lines. Raises InputError for ids with spaces."""
    name = "-".join(tag.split()) or "trine"
    with write_whole(path) as file:
        for ranking in rankings:
            for rank, (document, score) in enumerate(
                zip(ranking.ids, ranking.scores, strict=True), start=1
            ):
                for part in (ranking.query, document):
                    if part.split() != [part]:
                        raise InputError(
                            f"the id {part!r} holds a space: no TREC run can hold it",
                            hint="leave --run out",
                        )
                # numpy's shortest text of a float32 reads back as the same number.
                value = np.format_float_positional(np.float32(score), trim="-")
                file.write(f"{ranking.query} Q0 {document} {rank} {value} {name}\n")
