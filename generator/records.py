"""The records that flow from stage to stage; the only place where their fields are named.

All are frozen. `to_json` and `from_json` are exact inverses; a record holds nothing that differs
between two runs of the same draws (no times, no order of arrival).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, TypeVar

from pydantic import FiniteFloat, TypeAdapter

InBatch = Literal["all", "same_task", "none"]
_sorted_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
NegativeSource = Literal["llm", "random", "bm25", "dense", "hybrid", "human"]


def content_id(*parts: str) -> str:
    """A stable 128-bit id of some texts, as 32 hex digits; no two lists of parts share one."""
    texts = [part.encode("utf-8", "surrogatepass") for part in parts]
    data = b"".join([len(text).to_bytes(8, "little") + text for text in texts])
    return blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Draw:
    """One example to write: `(family, version, language or pair, index)` and what follows from it.

    `values` (axis name to value) is a pure function of the run's seed and the identity, so any
    shard on any machine makes the same draw. A brainstorming call is a draw of `kind`
    "brainstorm"; its `index` counts calls. `language` is a code, or "src-tgt" for a pair.
    """

    family: str
    version: int
    form: str
    language: str
    index: int
    kind: Literal["example", "brainstorm"] = "example"
    values: Mapping[str, str] = field(default_factory=dict)
    passage: str = ""

    @cached_property
    def id(self) -> str:
        """The identity as one readable string: `short-long@1/single/en#7`."""
        mark = "b" if self.kind == "brainstorm" else ""
        index = f"{self.passage}.{self.index}" if self.passage else str(self.index)
        return f"{self.family}@{self.version}/{self.form}/{self.language}#{mark}{index}"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Params:
    """How a completion is sampled; `extra`: more of a request's body, as canonical JSON text."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int = 0
    stop: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True)
class Prompt:
    """One request to an LLM: everything that decides its answer, and the draw it is for.

    `schema` is the JSON schema of the reply as canonical JSON text. `template` is the hash of the
    template's source; it does not enter the key (the messages do).
    """

    model: str
    draw: str
    step: str
    attempt: int
    messages: tuple[Message, ...]
    params: Params
    schema: str
    template: str = ""

    @cached_property
    def key(self) -> str:
        """The journal key: hash of model, messages, parameters, schema, draw, step and attempt."""
        params = self.params
        return content_id(
            self.model,
            *(part for m in self.messages for part in (m.role, m.content)),
            f"{params.temperature!r} {params.top_p!r} {params.max_tokens} {params.seed}",
            self.schema,
            self.draw,
            self.step,
            str(self.attempt),
            *([f"{params.stop!r} {params.extra}"] if params.stop or params.extra else []),
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """A raw answer; `cached_tokens` are among the prompt's, `reasoning_tokens` the completion's."""

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    batched: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One brainstormed task description (an instruction) and the request that gave it."""

    family: str
    language: str
    text: str
    draw: str
    request: str


@dataclass(frozen=True, slots=True)
class Score:
    """A relevance score and the name of what gave it. JSON has no NaN: no score is one."""

    teacher: str
    value: FiniteFloat


@dataclass(frozen=True, slots=True)
class Positive:
    """A text that answers the query. `id` is a content hash."""

    id: str
    text: str
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Negative:
    """A text that looks as if it answered the query and does not."""

    id: str
    text: str
    source: NegativeSource = "llm"
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a record comes from; fields are null for imported pairs.

    `draw` is the draw as a JSON string (see `draw_values`); `requests` are journal keys in step
    order; `templates` the hashes of the templates' sources.
    """

    model: str | None = None
    templates: tuple[str, ...] = ()
    draw: str | None = None
    seed: int | None = None
    requests: tuple[str, ...] = ()
    passage: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the data set, and what the trainer reads. Make it with `make_record`.

    `task` is the instruction; it goes on the query side (on both where `symmetric`). `language` is
    a code, or "src-tgt" where query and positive differ. `in_batch` says which other rows may
    serve as negatives.
    """

    id: str
    family: str
    task: str
    language: str
    symmetric: bool
    label: str | None
    in_batch: InBatch
    query: str
    positives: tuple[Positive, ...]
    negatives: tuple[Negative, ...]
    provenance: Provenance

    @property
    def query_language(self) -> str:
        """The language code of the query."""
        return self.language.split("-")[0]

    @property
    def text_language(self) -> str:
        """The language code of positives and negatives."""
        return self.language.split("-")[-1]


@dataclass(frozen=True, slots=True)
class Rejected:
    """What a stage did not pass on, and why. `reason` is a stable snake_case key.

    `draw` is the draw's id; `text` the raw answer where there is no record; `partner` and `score`
    name the record it duplicates and how similar the two are.
    """

    stage: str
    reason: str
    family: str
    language: str
    draw: str = ""
    detail: str = ""
    text: str | None = None
    record: Record | None = None
    partner: str | None = None
    score: float | None = None


def make_record(
    *,
    family: str,
    task: str,
    language: str,
    query: str,
    positives: tuple[str, ...],
    negatives: tuple[str, ...] = (),
    symmetric: bool = False,
    label: str | None = None,
    in_batch: InBatch = "all",
    negative_source: NegativeSource = "llm",
    provenance: Provenance | None = None,
) -> Record:
    """A record with its content ids filled in (of the record: negatives do not count)."""
    return Record(
        id=content_id(family, task, query, *positives),
        family=family,
        task=task,
        language=language,
        symmetric=symmetric,
        label=label,
        in_batch=in_batch,
        query=query,
        positives=tuple(Positive(content_id(text), text) for text in positives),
        negatives=tuple(Negative(content_id(text), text, negative_source) for text in negatives),
        provenance=provenance or Provenance(),
    )


def draw_to_json(draw: Draw) -> str:
    """The draw as the JSON string that `Provenance.draw` holds (sorted, so bit-equal)."""
    names = ("family", "version", "form", "language", "index")
    fields = {**{name: getattr(draw, name) for name in names}, "values": dict(draw.values)}
    if draw.passage:
        fields["passage"] = draw.passage
    return _sorted_json(fields)


def draw_values(record: Record) -> Mapping[str, str]:
    """The axis values that the record was drawn with (empty where it was not drawn by trine)."""
    try:
        draw = json.loads(record.provenance.draw or "null")
    except ValueError:  # another tool's idea of a draw
        return {}
    values = draw.get("values") if isinstance(draw, dict) else None
    return values if isinstance(values, dict) else {}


_ADAPTERS: dict[type, TypeAdapter[Any]] = {k: TypeAdapter(k) for k in (Record, Rejected, Task)}
_DUMP = {kind: adapter.serializer.to_json for kind, adapter in _ADAPTERS.items()}


def to_json(item: Record | Rejected | Task) -> str:
    """One line of JSON, without the newline."""
    return to_json_bytes(item).decode()


def to_json_bytes(item: Record | Rejected | Task) -> bytes:
    """As `to_json`, in UTF-8."""
    line: bytes = _DUMP[type(item)](item)
    return line


Line = TypeVar("Line", Record, Rejected, Task)


def from_json(kind: type[Line], line: str | bytes) -> Line:
    """The inverse of `to_json`. Raises `pydantic.ValidationError` on any other text."""
    item: Line = _ADAPTERS[kind].validate_json(line)
    return item
