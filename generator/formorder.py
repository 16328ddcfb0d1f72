"""Which form of a family suits the model that writes: by its size, where its weights are here.

`single` asks for a whole example at once and is for capable models; `staged` shows small ones how
to write a short text. A run's own `form` goes before all of this.
"""

from __future__ import annotations

from collections.abc import Iterable

from generator.config import RunConfig
from generator.families import Form
from generator.llm.modelsize import parameter_count
from generator.modelconfig import DEFAULT_MODELS

# Parameters below which a model gets the staged form. Of 0.5 billion, single gives a third of the
# records that staged gives, and worse ones; nothing larger was measured (docs/decisions.md).
SMALL = 1.5e9
_EMBEDDED = DEFAULT_MODELS["transformers"]  # whatever runs it
_EMBEDDED_WRITES = frozenset({"en"})
_LOCAL = ("transformers", "vllm")


def form_order(config: RunConfig) -> tuple[str, ...]:
    """The forms that suit the (first) writer, the best first."""
    return ("staged", "single") if _is_small(config) else ("single", "staged")


def is_embedded(config: RunConfig) -> bool:
    """Whether the embedded model writes: no other form makes it write other languages."""
    return config.llm.mixture[0].model == _EMBEDDED


def written(config: RunConfig, form: Form) -> tuple[str, ...]:
    """The languages of a form that the writer can be asked for; none: all."""
    own = form.languages
    if is_embedded(config):
        own = tuple(code for code in own if code in _EMBEDDED_WRITES) or own
    return own


def form_note(config: RunConfig, families: Iterable[str]) -> Iterable[str]:
    """That families are written in the staged form, why, and how to have the other."""
    names = ", ".join(families)
    if not names or config.form != "auto" or is_embedded(config):
        return
    size = _parameters(config)
    why = "small models" if size is None else f"small models (this one: {size / 1e9:.1f}B)"
    yield f"{names}: in the form staged, for {why}; --set form=single takes that for large ones"


def _is_small(config: RunConfig) -> bool:
    size = _parameters(config)
    if size is not None:
        return size < SMALL
    return is_embedded(config) or config.llm.mixture[0].backend == "transformers"


def _parameters(config: RunConfig) -> int | None:
    writer = config.llm.mixture[0]
    return parameter_count(writer.model) if writer.backend in _LOCAL else None
