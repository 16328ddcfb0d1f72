"""A corpus → `passages.jsonl` in a run's folder, read once and again only when a file has changed.

    sources ─ documents ─ passages ─ spool ─ duplicates ─ passages.jsonl, skipped.jsonl, index

Of each passage some 650 bytes are held while it is built (signatures that tell duplicates), and
one document at a time. Passages that the folder had before stay, and stand first: a document more
takes no passage away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from generator.corpus.blocks import Document, Skipped
from generator.corpus.passages import drafts
from generator.corpus.rows import Fields
from generator.corpus.sources import documents, fingerprint
from generator.corpus.spooled import Spooled
from generator.corpus.store import INDEX, PassageFile, line_of
from generator.corpusconfig import CorpusConfig
from generator.dedupe.texts import TextDuplicates
from generator.errors import BadDocument, InputError
from generator.recordfile import alone_in, disk_error, write_whole
from generator.records import content_id
from generator.runs import RunFolder
from generator.scripts import letter_count

OnDocument = Callable[[int, int], None]  # documents and passages so far
FEWEST_LETTERS = 20
_SHOWN = 10  # of what was skipped, where nothing else is left
_ROW = Struct("<qQQiHH")  # as INDEX has it


@dataclass
class Ingested:
    """What a corpus gave: documents, passages by language, and what was skipped, by reason."""

    documents: int = 0
    passages: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    codes: list[str] = field(default_factory=list)
    digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries, for a marker."""
        counters = {name: dict(getattr(self, name)) for name in ("languages", "skipped")}
        return {**vars(self), **counters}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Ingested:
        """The inverse of `to_dict`."""
        counters = {name: Counter(values[name]) for name in ("languages", "skipped")}
        return cls(**{**values, **counters})


def open_passages(
    config: CorpusConfig, run: RunFolder, on_document: OnDocument | None = None
) -> tuple[PassageFile, Ingested]:
    """The passages of a corpus, from the run's folder where they are up to date.

    Raises InputError where a path is missing or nothing is found, MissingExtra for a parser.
    """
    key = content_id(_config_key(config), repr(fingerprint(config.paths)), version("trine"))
    with alone_in(run.passage_index.with_suffix(".lock")):
        done = run.finished("corpus", key)
        if done is None or not run.passages.is_file():
            done = _build(config, run, on_document).to_dict()
            run.finish("corpus", key, done)
    found = Ingested.from_dict(done)
    if not found.passages:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in found.skipped.most_common())
        raise InputError(
            f"corpus: no passage in {', '.join(config.paths)} ({reasons or 'no files'})",
            hint="docs/corpus.md lists the formats; corpus.text_field names the field of a row",
            problems=tuple(_first_skipped(run.skipped)),
        )
    return PassageFile(run.passages, run.passage_index, found.codes, found.digest), found


def _first_skipped(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, islice(file, _SHOWN)):
            yield ": ".join(filter(None, (row["source"], row["reason"], row["detail"])))


def _config_key(config: CorpusConfig) -> str:
    return config.model_dump_json(exclude={"per_passage", "examples"})


def _build(config: CorpusConfig, run: RunFolder, on_document: OnDocument | None) -> Ingested:
    known = _known_ids(run)
    run.unfinish("corpus")
    found = Ingested()
    with (
        Spooled(run.passage_index.parent, titles=config.titles) as spooled,
        write_whole(run.skipped) as log,
    ):
        duplicates = TextDuplicates(spooled.text, config.near_threshold)
        for item in documents(config.paths, Fields(config.text_field, config.title_field)):
            if isinstance(item, Document):
                _cut(item, config, found, spooled, duplicates, log)
            else:
                _skip(found, log, item)
            if on_document:
                on_document(found.documents, len(spooled))
        spooled.settle()
        _write(config, run, known, found, spooled, duplicates, log)
    return found


def _cut(
    document: Document,
    config: CorpusConfig,
    found: Ingested,
    spooled: Spooled,
    duplicates: TextDuplicates,
    log: TextIO,
) -> None:
    """Spool the passages of a document; one that breaks half-way keeps those before."""
    start, told = len(spooled), found.skipped.total()
    try:
        for draft in drafts(document, config):
            text = draft.text
            if letter_count(text) < FEWEST_LETTERS:
                _skip(found, log, Skipped(document.source, "too_short", text[:80]))
                continue
            spooled.add(draft, found.documents, document.source)
            duplicates.add(text)
    except BadDocument as exc:
        _skip(found, log, Skipped(document.source, exc.reason, exc.detail))
    except RecursionError:
        _skip(found, log, Skipped(document.source, "broken", "nested too deeply"))
    if len(spooled) == start and found.skipped.total() == told:
        _skip(found, log, Skipped(document.source, "no_text"))
    if len(spooled) > start:
        spooled.end_document(start)
        found.documents += 1


def _write(
    config: CorpusConfig,
    run: RunFolder,
    known: NDArray[np.uint64],
    found: Ingested,
    spooled: Spooled,
    duplicates: TextDuplicates,
    log: TextIO,
) -> None:
    rows = bytearray()
    digest = blake2b(digest_size=16)
    codes: dict[str, int] = {}
    offset = 0
    with write_whole(run.passages) as file:
        for place in _kept(spooled, config, known, duplicates, found, log):
            passage = spooled.passage(place)
            line = line_of(passage)
            file.write(line + "\n")
            *ids, document, opens = spooled.entry(place)
            code = codes.setdefault(passage.language, len(codes))
            rows += _ROW.pack(offset, *ids, document, code, opens)
            offset += len(line.encode("utf-8", "surrogatepass")) + 1
            digest.update(passage.id.encode())
            found.languages[passage.language] += 1
            found.passages += 1
    _write_index(run.passage_index, rows)
    found.codes, found.digest = list(codes), digest.hexdigest()


def _kept(
    spooled: Spooled,
    config: CorpusConfig,
    known: NDArray[np.uint64],
    duplicates: TextDuplicates,
    found: Ingested,
    log: TextIO,
) -> Iterator[int]:
    """The places of the passages that stay, those of the last time first."""
    order = spooled.order(known)
    wanted = config.languages
    spoken = [at for at in order if wanted is None or spooled.language(at) in wanted]
    matches = duplicates.matches(spoken)
    is_spoken = set(spoken)
    for place in order:
        if place not in is_spoken:
            source = spooled.passage(place).source
            _skip(found, log, Skipped(source, "other_language", spooled.language(place)))
        elif place in matches:
            match = matches[place]
            passage, partner = spooled.passage(place), spooled.passage(match.partner)
            detail = f"{match.score:.2f} {partner.source}: {passage.text[:80]}"
            _skip(found, log, Skipped(passage.source, match.reason, detail))
        else:
            yield place


def _skip(found: Ingested, log: TextIO, skipped: Skipped) -> None:
    found.skipped[skipped.reason] += 1
    log.write(json.dumps(asdict(skipped), ensure_ascii=False) + "\n")


def _known_ids(run: RunFolder) -> NDArray[np.uint64]:
    try:
        return np.fromfile(run.passage_index, dtype=INDEX)["id"]
    except OSError:
        return np.empty(0, dtype=np.uint64)


def _write_index(path: Path, rows: bytearray) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(rows)
        part.replace(path)
    except OSError as exc:
        raise disk_error(exc, path) from exc
