"""Everything that decides a training run: recipe and `--set` → one frozen `TrainConfig`.

Names are the field's; the defaults are the settings of E5-mistral (Wang et al. 2024, arXiv
2401.00368) where it has any. Unknown keys are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from generator.config import apply_overrides, find_recipe
from generator.errors import ConfigError
from generator.families import Frozen
from generator.nearest import refuse_another_verbs
from generator.taxonomy import validation_problems
from generator.yamlfile import read_yaml

Pooling = Literal["last", "mean", "mean_text", "first"]
Direction = Literal["qd", "dq", "qq", "dd"]
SpecialToken = int | str | None
_FREE = ("output", "device", "token_budget", "graph_tokens", "compile", "parallel",
         "save_steps", "tracker")  # fmt: skip


class TokenConfig(Frozen):
    """How a text becomes ids: `[bos] + ids[: max_tokens - specials] + [eos]`.

    `bos` and `eos` are ids or tokens; null adds none, "auto" takes the tokenizer's (a BOS only
    where the tokenizer itself writes one; an EOS in any case, or likewise by "written").
    `symmetric` says which side of a symmetric row carries the instruction.
    """

    max_tokens: int = Field(default=512, ge=4)
    template: str = "Instruct: {task}\nQuery: {query}"
    symmetric: Literal["both", "query"] = "both"
    bos: SpecialToken = "auto"
    eos: SpecialToken = "auto"


class LossConfig(Frozen):
    """What is minimised.

    `directions` besides q→d put other similarities into the denominator (`joint`, as Qwen3-
    Embedding), or each get a cross entropy of their own (`per_direction`, averaged). `mask_ids`
    takes other rows' copies of a row's positives out; `margin` those scored above positive +
    margin (Qwen3: 0.1). `hardness` α adds α·cos to the logits of negatives (Lan et al.).
    `matryoshka` lists leading dimensions, each with the same weight unless `matryoshka_weights`.
    `distill_weight` > 0 adds KL(teacher ‖ student) over a row's positive and own negatives;
    `contrastive_weight` scales the rest (SimLM: 0.2).
    """

    kind: Literal["infonce", "triplet"] = "infonce"
    temperature: float = Field(default=0.02, gt=0)
    directions: tuple[Direction, ...] = ("qd",)
    partition: Literal["joint", "per_direction"] = "joint"
    mask_ids: bool = True
    margin: float | None = None
    hardness: float = Field(default=0.0, ge=0)
    hardness_on: Literal["all", "in_batch", "hard"] = "all"
    matryoshka: tuple[int, ...] = ()
    matryoshka_weights: tuple[float, ...] = ()
    triplet_margin: float = Field(default=0.2, ge=0)
    contrastive_weight: float = Field(default=1.0, ge=0)
    distill_weight: float = Field(default=0.0, ge=0)
    teacher_temperature: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> LossConfig:
        if not self.directions or self.directions[0] != "qd":
            message = "directions begin with qd"
            raise ValueError(message)
        if self.matryoshka_weights and len(self.matryoshka_weights) != len(self.matryoshka):
            message = "matryoshka_weights: one weight for each dimension"
            raise ValueError(message)
        return self


class LoraConfig(Frozen):
    """Low-rank adapters on every linear layer (Hu et al. 2021); merged at export."""

    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @property
    def scale(self) -> float:
        """The factor of the low-rank product."""
        return self.alpha / self.rank


class EvalConfig(Frozen):
    """Scores while training: a held-out share of the rows, or a BEIR folder, every `steps`."""

    fraction: float = Field(default=0.0, ge=0, lt=1)
    folder: Path | None = None
    task: str = "Given a question, retrieve passages that answer it"
    max_queries: int = Field(default=500, gt=0)
    steps: int | None = Field(default=None, gt=0)


class TrainConfig(Frozen):
    """A training run.

    `pooling` makes a text's vector of its last token, its first, the mean of all, or the mean of
    all but its instruction's (`mean_text`, sentence-transformers' `include_prompt: false`).
    `lora: null` trains all weights. `parallel` is what several processes do: hold all weights each
    (`ddp`), or a share of them (`fsdp`, for models that do not fit one GPU). `ratios` maps a source
    (a data file's name without suffix) to its sampling weight. `token_budget` is tokens in one
    forward; `graph_tokens` how many of a batch keep their graph instead of being run again (null:
    as many as memory holds). `save_steps` null saves by the clock (`checkpoint.Pace`).
    """

    base: str
    output: Path = Path("outputs/model")
    pooling: Pooling = "last"
    bidirectional: bool = False
    tokens: TokenConfig = TokenConfig()
    loss: LossConfig = LossConfig()
    lora: LoraConfig | None = LoraConfig()
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    warmup_steps: int = Field(default=100, ge=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    beta2: float = Field(default=0.999, gt=0, lt=1)
    max_grad_norm: float | None = Field(default=1.0, gt=0)
    batch_size: int = Field(default=128, ge=2)
    epochs: int = Field(default=1, gt=0)
    max_steps: int | None = Field(default=None, gt=0)
    max_negatives: int | None = Field(default=None, ge=0)
    batching: Literal["mixed", "homogeneous"] = "mixed"
    ratios: Mapping[str, float] | None = None
    token_budget: int | None = Field(default=None, gt=0)
    graph_tokens: int | None = Field(default=None, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    parallel: Literal["ddp", "fsdp"] = "ddp"
    seed: int = Field(default=42, ge=0)
    save_steps: int | None = Field(default=None, gt=0)
    tracker: Literal["none", "tensorboard"] = "none"
    eval: EvalConfig = EvalConfig()

    def deciding(self) -> dict[str, Any]:
        """The settings that decide what comes out; the others may differ when a run goes on."""
        found: dict[str, Any] = json.loads(self.model_dump_json(exclude=set(_FREE)))
        return found


def load_train_config(
    recipe: str | None = None, overrides: Iterable[str] = (), **flags: Any
) -> TrainConfig:
    """The configuration of a run. `flags` are top-level keys; None is unset.

    Raises ConfigError with every problem, InputError where a recipe cannot be read.
    """
    raw = {} if recipe is None else _read(recipe)
    raw |= {key: value for key, value in flags.items() if value is not None}
    apply_overrides(raw, overrides, example="batch_size=256")
    return _validated(raw, recipe or "configuration")


def section_config(section: Mapping[str, Any], **flags: Any) -> TrainConfig:
    """The configuration that a run's `train` section holds: its keys over those of its `recipe`.

    `flags` are defaults below both. Raises as `load_train_config`.
    """
    own = {key: value for key, value in section.items() if key != "recipe"}
    recipe = section.get("recipe")
    below = {} if recipe is None else _read(str(recipe))
    return _validated(_over(_over(flags, below), own), "train")


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings, keys of inner mappings one by one; `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _over(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _read(recipe: str) -> dict[str, Any]:
    path = find_recipe(recipe)
    loaded = read_yaml(path) or {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: not a mapping", hint="see recipes/train-e5-mistral.yaml")
    return loaded


def _validated(raw: Mapping[str, Any], source: str) -> TrainConfig:
    try:
        return TrainConfig.model_validate(raw)
    except ValidationError as exc:
        refuse_another_verbs(raw, source, "train")
        raise ConfigError(
            f"{source}: wrong configuration",
            hint="docs/training.md lists every key; --base names the model",
            problems=tuple(validation_problems(exc, TrainConfig)),
        ) from exc
