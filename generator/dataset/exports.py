"""Records → the training formats of other projects; `EXPORTS` names them all.

Every format is a folder, written whole or not at all. A run's `dataset/train.jsonl` as the source
exports the train side alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.dataset.folder import replacing
from generator.dataset.layout import config_name
from generator.dataset.lines import LineFiles
from generator.dataset.source import Source, records_of
from generator.dataset.split import Split
from generator.dataset.write import write_dataset
from generator.errors import ConfigError
from generator.records import Negative, Positive, Record, content_id

INSTRUCTION = "Instruct: {task}\nQuery: {query}"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`instruction` puts `template` (with `{task}` and `{query}`) around each query.

    Symmetric records then carry it on both sides, as in E5-mistral's evaluation. FlagEmbedding has
    a column of its own for it and ignores the option. `split` is for the format `trine` alone.
    """

    instruction: bool = False
    template: str = INSTRUCTION
    split: Split | None = None

    def query(self, record: Record) -> str:
        """The query as it is written."""
        return self._instructed(record.query, record) if self.instruction else record.query

    def text(self, text: str, record: Record) -> str:
        """A positive or negative as it is written."""
        both_sides = self.instruction and record.symmetric
        return self._instructed(text, record) if both_sides else text

    def _instructed(self, text: str, record: Record) -> str:
        # Not str.format: a text may hold braces of its own, and so may a template.
        before, _, after = self.template.partition("{query}")
        return before.replace("{task}", record.task) + text + after.replace("{task}", record.task)


Row = dict[str, Any]
Counts = Mapping[str, int]
# Writes the files to a folder that is there and empty.
Export = Callable[[Source, LineFiles, ExportOptions], None]


def export(
    source: Source, folder: Path, format_name: str, options: ExportOptions | None = None
) -> Counts:
    """Write the records to `folder` in a format of `EXPORTS`; returns the rows of each file.

    Raises `ConfigError` for a format that is none, and whatever `source` raises.
    """
    if format_name not in FORMATS:
        raise ConfigError(
            f"no export format {format_name!r}", hint=f"--format one of: {', '.join(FORMATS)}"
        )
    options = options or ExportOptions()
    if format_name == TRINE:
        layout = write_dataset(source, folder, split=options.split)
        return {f"{split}.jsonl": rows for split, rows in layout.rows.items()}
    with replacing(folder) as new, LineFiles(new) as files:
        EXPORTS[format_name](source, files, options)
    return dict(files.counts)


def _sentence_transformers(source: Source, files: LineFiles, options: ExportOptions) -> None:
    """Anchor, positive, negative (`triplets`), or negative_1 … negative_n (`n-tuples`).

    N-tuples need as many negatives in every row; where the records differ, each (positive,
    negative) pair is a row. Records without negatives are rows of `pairs`, a data set of its own:
    a null in the negative column would stop the trainer.
    """
    counts = {len(record.negatives) for record in records_of(source)} - {0}
    ragged = len(counts) > 1
    name = "triplets.jsonl" if ragged or counts == {1} else "n-tuples.jsonl"
    for record in records_of(source):
        for row in _tuples(record, options, ragged=ragged):
            files.row(name if record.negatives else "pairs.jsonl", row)


def _tuples(record: Record, options: ExportOptions, *, ragged: bool) -> Iterator[Row]:
    negatives = [options.text(negative.text, record) for negative in record.negatives]
    for positive in record.positives:
        pair = {"anchor": options.query(record), "positive": options.text(positive.text, record)}
        if ragged and negatives:
            yield from (pair | {"negative": negative} for negative in negatives)
        elif len(negatives) == 1:
            yield pair | {"negative": negatives[0]}
        else:
            yield pair | {f"negative_{n}": text for n, text in enumerate(negatives, start=1)}


def _beir(source: Source, files: LineFiles, options: ExportOptions) -> None:
    """`corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`; a text or a query appears once.

    Records with the same instruction and query share a query id, so all their positives count.
    """
    seen: set[tuple[str, str]] = set()
    files.line("qrels/test.tsv", "query-id\tcorpus-id\tscore")
    for record in records_of(source):
        query_id = content_id(record.task, record.query)
        if _first(seen, "query", query_id):
            files.row("queries.jsonl", {"_id": query_id, "text": options.query(record)})
        items: tuple[Positive | Negative, ...] = (*record.positives, *record.negatives)
        for item in items:
            text = options.text(item.text, record)
            # An instruction may make several documents of one text.
            doc_id = item.id if text == item.text else content_id(text)
            if _first(seen, "document", doc_id):
                files.row("corpus.jsonl", {"_id": doc_id, "title": "", "text": text})
            if isinstance(item, Positive) and _first(seen, query_id, doc_id):
                files.line("qrels/test.tsv", f"{query_id}\t{doc_id}\t1")


def _first(seen: set[tuple[str, str]], kind: str, key: str) -> bool:
    if (kind, key) in seen:
        return False
    seen.add((kind, key))
    return True


def _flagembedding(source: Source, files: LineFiles, _: ExportOptions) -> None:
    """`query, pos, neg, prompt, type`, a file for each kind of row that FlagEmbedding tells apart.

    A file is of one type; a name that ends in `no_in_batch_neg` turns in-batch negatives off; and
    rows without negatives need `--train_group_size 1`, as it divides by their number.
    """
    for record in records_of(source):
        row = {
            "query": record.query,
            "pos": [positive.text for positive in record.positives],
            "neg": [negative.text for negative in record.negatives],
            "prompt": record.task,
            "type": _flag_type(record),
        }
        files.row(_flag_file(record), row)


def _flag_type(record: Record) -> str:
    if record.label is not None:
        return "symmetric_clustering" if record.symmetric else "symmetric_class"
    return "symmetric_sts" if record.symmetric else "normal"


def _flag_file(record: Record) -> str:
    parts = [config_name(record.family), _flag_type(record)]
    if not record.negatives:
        parts.append("without_negatives")
    if record.in_batch == "none":
        parts.append("no_in_batch_neg")
    return "-".join(parts) + ".jsonl"


def _tevatron(source: Source, files: LineFiles, options: ExportOptions) -> None:
    """`query_id, query, positive_passages, negative_passages` with `docid, title, text` each.

    Rows without negatives are a file of their own: they need `--train_group_size 1`.
    """

    def passages(items: Sequence[Positive | Negative], record: Record) -> list[Row]:
        return [{"docid": i.id, "title": "", "text": options.text(i.text, record)} for i in items]

    for record in records_of(source):
        row = {
            "query_id": record.id,
            "query": options.query(record),
            "positive_passages": passages(record.positives, record),
            "negative_passages": passages(record.negatives, record),
        }
        name = "train.jsonl" if record.negatives else "train-without-negatives.jsonl"
        files.row(name, row)


TRINE = "trine"
EXPORTS: Mapping[str, Export] = {
    "sentence-transformers": _sentence_transformers,
    "beir": _beir,
    "flagembedding": _flagembedding,
    "tevatron": _tevatron,
}
FORMATS = (TRINE, *EXPORTS)
