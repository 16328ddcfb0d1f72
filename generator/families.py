"""What a taxonomy holds, as frozen models: families, forms, steps, axes and languages.

Shared by every stage that reads a family. Knows the shape of `tasks.yaml`, not where it lies
(`taxonomy.py` reads it) nor how a draw or a prompt is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from generator.records import InBatch

FilterSpec = Mapping[str, Mapping[str, Any] | Literal[False]]

# By what the records of a run are shared out: see `sampling.share_of`.
ShareBy = Literal["family", "language", "family_language"]


class Frozen(BaseModel):
    """A value that refuses unknown keys and does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Language(Frozen):
    """A language: its English name, its weight in a run, its script (ISO 15924)."""

    name: str
    weight: float = Field(default=1.0, gt=0)
    script: str = ""


class Axis(Frozen):
    """The values of one placeholder, and how one of them is drawn.

    In YAML: a list, or a mapping with `values` (a list, or value: weight), `order`, `distinct_from`
    (another axis whose value is never drawn here) and `when` (other axis: values that allow this
    one; the empty string is drawn otherwise).
    """

    values: tuple[str, ...] = Field(min_length=1)
    weights: tuple[float, ...] = ()
    order: Literal["random", "cycle"] = "random"
    distinct_from: str | None = None
    when: Mapping[str, tuple[str, ...]] = {}

    def choices(self, avoid: str | None) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The values that may be drawn, and the running sums of their weights."""
        found = self._choices.get(avoid)
        if found is None:
            options = [i for i, value in enumerate(self.values) if value != avoid]
            sums = accumulate(self.weights[i] if self.weights else 1.0 for i in options)
            found = self._choices[avoid] = tuple(self.values[i] for i in options), tuple(sums)
        return found

    @cached_property
    def _choices(self) -> dict[str | None, tuple[tuple[str, ...], tuple[float, ...]]]:
        return {}

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, data: Any) -> Any:
        if isinstance(data, list):
            data = {"values": data}
        if not isinstance(data, dict):
            return data
        values = data.get("values")
        if isinstance(values, dict):
            data = {**data, "values": list(values), "weights": list(values.values())}
        if isinstance(data.get("values"), list):
            data = {**data, "values": [_text(value) for value in data["values"]]}
        if isinstance(data.get("when"), dict):
            data = {**data, "when": {key: _texts(item) for key, item in data["when"].items()}}
        return data

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if any(weight <= 0 for weight in weights):
            message = "weights must be above 0"
            raise ValueError(message)
        return weights

    @model_validator(mode="after")
    def _distinct(self) -> Axis:
        if len(set(self.values)) < len(self.values):
            message = "a value stands twice"
            raise ValueError(message)
        if self.weights and self.order == "cycle":
            message = "a cycle takes every value once: it has no weights"
            raise ValueError(message)
        return self


class ReplyField(Frozen):
    """One text of a reply, with its bounds in characters."""

    type: Literal["string"] = "string"
    min_chars: int = Field(default=0, ge=0)
    max_chars: int | None = Field(default=None, gt=0)
    one_of: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, data: Any) -> Any:
        return {"type": data} if isinstance(data, str) else data

    def reply_schema(self) -> dict[str, Any]:
        """The JSON schema of this field."""
        if self.one_of:
            return {"type": "string", "enum": list(self.one_of)}
        bounds = {"minLength": self.min_chars or None, "maxLength": self.max_chars}
        return {"type": "string", **{key: n for key, n in bounds.items() if n is not None}}


class Sampling(Frozen):
    """How a step's replies are sampled; null leaves it to the model's configuration.

    `send_seed` false asks without a seed, for servers that refuse one.
    """

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)
    stop: tuple[str, ...] | None = None
    send_seed: bool | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Step(Sampling):
    """One request of a form: a template and the fields of its reply."""

    template: str
    reply: Mapping[str, ReplyField] = Field(min_length=1)

    def reply_schema(self) -> str:
        """The JSON schema of the reply, as canonical JSON text."""
        return self._schema

    @cached_property
    def _schema(self) -> str:
        return object_schema({name: field.reply_schema() for name, field in self.reply.items()})


class Brainstorm(Sampling):
    """The first of two steps: task descriptions, `tasks_per_call` in one reply."""

    template: str
    tasks_per_call: int = Field(default=20, gt=0)
    axes: Mapping[str, Axis] = {}

    def reply_schema(self) -> str:
        """The JSON schema of `{"tasks": [...]}`, as canonical JSON text."""
        return self._schema

    @cached_property
    def _schema(self) -> str:
        items = {"type": "array", "items": {"type": "string"}, "maxItems": self.tasks_per_call}
        return object_schema({"tasks": items})


class RecordTemplate(Frozen):
    """Which text becomes which part of a record; each is Jinja over draw and replies."""

    task: str
    query: str
    positives: tuple[str, ...] = Field(min_length=1)
    negatives: tuple[str, ...] = ()
    label: str | None = None


class Grounding(Frozen):
    """What a family's examples are written from: passages of the user's own documents.

    `passages` 2 gives each its neighbour too. `of` may be the first passage of every section, or of
    every document, alone. `per_passage` null is the run's.
    """

    passages: Literal[1, 2] = 1
    of: Literal["passages", "sections", "documents"] = "passages"
    per_passage: int | None = Field(default=None, gt=0)
    needs_examples: bool = False


class Form(Frozen):
    """One way to write a family's examples, in `languages` (all if empty).

    Without steps nothing is asked: the record is made of the passage, or of a brainstormed text.
    """

    languages: tuple[str, ...] = ()
    steps: Mapping[str, Step] = {}
    record: RecordTemplate
    brainstorm: Brainstorm | None = None
    axes: Mapping[str, Axis] = {}


class Family(Frozen):
    """A family of examples: all that a run needs to know of it."""

    version: int = Field(gt=0)
    description: str
    share: float = Field(default=0.0, ge=0)
    languages: Literal["one", "pair"] | tuple[str, ...] = "one"
    symmetric: bool = False
    in_batch: InBatch = "all"
    grounded: Grounding | None = None
    axes: Mapping[str, Axis] = {}
    forms: Mapping[str, Form] = Field(min_length=1)
    filters: FilterSpec = {}

    @field_validator("grounded", mode="before")
    @classmethod
    def _grounded(cls, value: Any) -> Any:
        return {} if value is True else None if value is False else value

    @model_validator(mode="after")
    def _writes_something(self) -> Family:
        if self.grounded is None and not all(form.steps for form in self.forms.values()):
            message = "a form without steps needs a grounded family"
            raise ValueError(message)
        return self

    def axes_of(self, form: str) -> Mapping[str, Axis]:
        """The axes of an example: the family's, then those of the form alone."""
        return self._axes[form]

    @cached_property
    def _axes(self) -> dict[str, Mapping[str, Axis]]:
        return {name: {**self.axes, **form.axes} for name, form in self.forms.items()}


class Taxonomy(Frozen):
    """The whole of `tasks.yaml`, lists resolved."""

    languages: Mapping[str, Language] = Field(min_length=1)
    families: Mapping[str, Family] = Field(min_length=1)
    filters: FilterSpec = {}


def _text(value: Any) -> Any:
    """A number as the text that it is; anything else as it is, to be refused where it is no text.

    (`- need: a word` is a mapping to YAML, and `true` and `~` are no texts either.)
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _texts(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, list) else value


def object_schema(properties: Mapping[str, Any]) -> str:
    """A JSON schema of an object that holds exactly these properties, as canonical JSON text."""
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    return json.dumps(schema, ensure_ascii=False)
