"""The texts that records are compared with: those of a corpus, or the records' own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from generator.errors import InputError
from generator.recordfile import RecordFile
from generator.records import Record, content_id
from generator.runs import file_hash
from generator.search.passages import Passage, passages_file, stream_passages
from generator.search.pool import Pool, build_pool


def record_pool(
    records: RecordFile, source: Path, corpus: Path | None, folder: Path
) -> tuple[Pool, str]:
    """The texts of the corpus, or of the records of `source`, in `folder`; and the corpus's key.

    The records' own texts are always known to the pool. Raises InputError where it is empty.
    """
    if corpus is None:
        corpus_key = content_id("own", file_hash(source))
        # Their ids are their contents', and `source_passage` is about a corpus.
        texts: Iterable[Passage] = (Passage("", text) for text in _texts(records))
    else:
        file = passages_file(corpus)
        corpus_key = file_hash(file)
        texts = stream_passages(file)
    pool = build_pool(texts, _texts(records), folder, key=content_id(corpus_key, file_hash(source)))
    if not pool.searchable:
        pool.close()
        raise InputError(f"{corpus or source}: no text to compare with", hint="give --corpus")
    return pool, corpus_key


def _texts(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield from (positive.text for positive in record.positives)
        yield from (negative.text for negative in record.negatives)
