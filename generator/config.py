"""Flags, `TRINE_*` and YAML → one frozen `RunConfig`; the only reader of the environment.

Precedence, lowest first: the recipe, the environment (`TRINE_COUNT=5`, `TRINE_LLM__MODEL=x`),
flags and `--set`. Unknown keys are refused. Keys of APIs never enter a `RunConfig`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt, ValidationError, field_validator, model_validator

from generator.contaminationconfig import ContaminationConfig
from generator.corpusconfig import CorpusConfig
from generator.datasetconfig import DatasetConfig, DiversityConfig
from generator.dedupeconfig import DedupeConfig
from generator.errors import ConfigError, InputError
from generator.families import FilterSpec, Frozen, ShareBy
from generator.mineconfig import MineConfig
from generator.modelconfig import LLMConfig, inherited
from generator.nearest import nearest, refuse_another_verbs
from generator.refineconfig import SAMPLED_APART, RefineConfig
from generator.taxonomy import validation_problems
from generator.yamlfile import parse_yaml, read_yaml

# Sections that one text may stand for, and the key that it is.
_SHORT = {"corpus": "paths", "train": "recipe"}
_KEY_VARIABLES = ("TRINE_API_KEY", "OPENAI_API_KEY")


class BudgetConfig(Frozen):
    """What all sessions of a run together may spend; null is no limit."""

    max_cost_usd: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, gt=0)

    @property
    def caps(self) -> tuple[float | None, int | None]:
        """US dollars, and tokens in and out."""
        return self.max_cost_usd, self.max_tokens


class RunConfig(Frozen):
    """Everything that decides a run.

    `count` is how many examples to draw; `keep` how many records to end with, of each family or
    language (or both) its share where `keep_shares` says so. `caps` maps an axis, `task`, `family`
    or `language` to how many records of one value are kept. `families` names
    families (equal shares) or maps them to weights; `languages` names languages (weights of the
    taxonomy) or maps them to weights. `form` is a family's form, or "auto": staged for small
    embedded models, single for others, whichever the family has.

    `train` holds keys of the trainer's configuration (docs/training.md), on top of those of the
    train recipe that its `recipe` names; a name alone is that recipe, null trains nothing.
    `searches` are shown with the model that comes of it, in place of held-out questions.
    """

    count: int = Field(default=100, gt=0)
    keep: int | None = Field(default=None, gt=0)
    keep_shares: ShareBy | None = None
    caps: Mapping[str, PositiveInt] = {}
    seed: int = Field(default=42, ge=0)
    families: Mapping[str, float] | None = None
    languages: Mapping[str, float | None] | None = None
    form: str = "auto"
    tasks: Path | None = None
    prompts: Path | None = None
    prices: Path | None = None
    output: Path = Path("outputs/run")
    llm: LLMConfig = Field(default_factory=lambda: LLMConfig.model_validate({}))
    budget: BudgetConfig = BudgetConfig()
    filters: FilterSpec = {}  # noqa: RUF012 - pydantic copies it
    dedupe: DedupeConfig = DedupeConfig()
    dataset: DatasetConfig = DatasetConfig()
    corpus: CorpusConfig | None = None
    contamination: ContaminationConfig | None = None
    diversity: DiversityConfig = DiversityConfig()
    mine: MineConfig | None = None
    refine: RefineConfig | None = None
    train: Mapping[str, Any] | None = None
    searches: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _keeps_a_prefix(self) -> RunConfig:
        if self.keep is not None and self.dedupe.keep == "best":
            message = "keep needs dedupe.keep first: best lets later draws take earlier ones away"
            raise ValueError(message)
        return self

    @model_validator(mode="before")
    @classmethod
    def _judge_inherits(cls, data: Any) -> Any:
        """A judge's model takes every key that it does not name from `llm`, as a writer does."""
        if not isinstance(data, Mapping):
            return data
        refine, llm = data.get("refine"), data.get("llm") or {}
        if not isinstance(refine, Mapping) or not isinstance(llm, Mapping):
            return data
        judge = inherited(llm, refine.get("judge"), SAMPLED_APART)
        return {**data, "refine": {**refine, "judge": judge}}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The stages that decide, one after the other, which draws give a record of the run."""
        later = {
            "contamination": self.contamination is not None,
            "quota": bool(self.caps) or bool(self.keep_shares and self.refine is None),
        }
        return ("generate", "filter", "dedupe", *(name for name, is_on in later.items() if is_on))

    @model_validator(mode="after")
    def _shares_of_something(self) -> RunConfig:
        if self.keep_shares is not None and self.keep is None:
            message = "keep_shares needs keep: how many records there are to share"
            raise ValueError(message)
        return self

    @field_validator("train", mode="before")
    @classmethod
    def _train_recipe(cls, value: Any) -> Any:
        return {"recipe": value} if isinstance(value, str) else value

    @field_validator("families", "languages", mode="before")
    @classmethod
    def _names(cls, value: Any, info: Any) -> Any:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list | tuple):
            if not all(isinstance(name, str) for name in value):
                message = "a list of names, or a mapping of names to weights"
                raise ValueError(message)
            return dict.fromkeys(value, 1.0 if info.field_name == "families" else None)
        return value

    @field_validator("families", "languages")
    @classmethod
    def _weights(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        for name, weight in (value or {}).items():
            if weight is not None and weight <= 0:
                message = f"the weight of {name} must be above 0, not {weight}"
                raise ValueError(message)
        if value is not None and not value:
            message = "names none"
            raise ValueError(message)
        return value


def load_config(
    recipe: str | None = None,
    overrides: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    **flags: Any,
) -> RunConfig:
    """The configuration of a run. `flags` use dotted keys (`{"llm.model": …}`), None is unset.

    Raises ConfigError with every problem, InputError where a recipe cannot be read.
    """
    raw: dict[str, Any] = {}
    if recipe is not None:
        path = find_recipe(recipe)
        loaded = read_yaml(path) or {}
        if not isinstance(loaded, dict):
            raise ConfigError(f"{path}: not a mapping", hint="see recipes/quickstart.yaml")
        raw = loaded
        raw.setdefault("output", f"outputs/{path.stem}")
        if isinstance(raw.get("train"), str):  # so that --set train.epochs=1 goes on top of it
            raw["train"] = {"recipe": raw["train"]}
    for key, value in _environment(os.environ if environ is None else environ):
        _put(raw, key, value)
    for key, value in flags.items():
        if value is not None:
            _put(raw, key, value)
    apply_overrides(raw, overrides, example="llm.concurrency=64")
    return validated(raw, recipe or "configuration")


def validated(raw: Mapping[str, Any], source: str) -> RunConfig:
    """The configuration that a mapping holds. Raises ConfigError with every problem."""
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as exc:
        refuse_another_verbs(raw, source, "run")
        raise ConfigError(
            f"{source}: wrong configuration",
            hint="docs/configuration.md lists every key",
            problems=tuple(validation_problems(exc, RunConfig)),
        ) from exc


def apply_overrides(raw: dict[str, Any], overrides: Iterable[str], *, example: str) -> None:
    """Put every `--set key=value` (dotted key, YAML value) into `raw`. Raises ConfigError."""
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {text}: not key=value", hint=f"--set {example}")
        _put(raw, key.strip(), parse_yaml(value, f"--set {key}"))


def api_key(environ: Mapping[str, str] | None = None, name: str | None = None) -> str | None:
    """The key of the API, from `TRINE_API_KEY` or `OPENAI_API_KEY`, or the one variable `name`.

    Nowhere else; an empty name is no key at all. Raises ConfigError where `name` is not set.
    """
    environ = os.environ if environ is None else environ
    if name and not environ.get(name):
        raise ConfigError(f"{name} is not set (llm.api_key_env)", hint=f"export {name}=…")
    names = _KEY_VARIABLES if name is None else (name,)
    return next((environ[name] for name in names if environ.get(name)), None)


def filled(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text with every `${NAME}` from the environment. Raises ConfigError where one is unset."""
    found = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        if not found.get(match[1]):
            raise ConfigError(f"{match[1]} is not set (llm.headers)", hint=f"export {match[1]}=…")
        return found[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)


def colour(environ: Mapping[str, str] | None = None) -> bool | None:
    """False where `NO_COLOR` is set (no-color.org); None leaves it to the terminal."""
    return False if (os.environ if environ is None else environ).get("NO_COLOR") else None


def cache_folder() -> Path:
    """Where weights and vectors are kept: `$XDG_CACHE_HOME/trine`, else `~/.cache/trine`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trine"


def hush_engines() -> bool:
    """Let vLLM log errors alone, unless `VLLM_LOGGING_LEVEL` asks for more; whether it does not."""
    return os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR") == "ERROR"


def find_recipe(name: str) -> Path:
    """A recipe's path: as given, else the packaged copy of that name. Raises InputError."""
    path = Path(name)
    if path.is_file():
        return path
    folder = packaged_data() / "recipes"
    packaged = folder / path.name
    for candidate in (packaged, packaged.with_suffix(".yaml")):
        if candidate.is_file():
            return candidate
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    hint = f"packaged recipes: {', '.join(known)}"
    raise InputError(f"no recipe {name}{nearest(path.stem, known)}", hint=hint)


def find_taxonomy(config: RunConfig, folder: Path = Path()) -> tuple[Path, Path]:
    """The paths of `tasks.yaml` and `prompts/`: as configured, in the current folder, packaged."""
    tasks = config.tasks or _first(folder / "tasks.yaml", packaged_data() / "tasks.yaml")
    prompts = config.prompts or _first(tasks.parent / "prompts", packaged_data() / "prompts")
    return tasks, prompts


def find_prices(config: RunConfig, folder: Path = Path()) -> Path:
    """The path of `prices.yaml`: as configured, in the current folder, packaged."""
    return config.prices or _first(folder / "prices.yaml", packaged_data() / "prices.yaml")


def packaged_data() -> Path:
    """The folder with the packaged tasks.yaml, prompts/ and recipes/ (a checkout's root too)."""
    packaged = Path(str(resources.files("generator"))) / "_data"
    return packaged if packaged.is_dir() else packaged.parent.parent


def _first(*paths: Path) -> Path:
    return next((path for path in paths if path.exists()), paths[-1])


def _environment(environ: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for name in sorted(environ):
        if name.startswith("TRINE_") and name not in _KEY_VARIABLES:
            key = name.removeprefix("TRINE_").lower().replace("__", ".")
            yield key, parse_yaml(environ[name], name)


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = raw.get(parent)
        if parent in _SHORT and isinstance(inner, str | list):
            inner = {_SHORT[parent]: inner}  # what one text stood for stays
        raw[parent] = dict(inner) if isinstance(inner, Mapping) else {}
        raw = raw[parent]
    inner = None if parents else raw.get(last)
    if last in _SHORT and isinstance(inner, Mapping) and isinstance(value, str | list):
        raw[last] = {**inner, _SHORT[last]: value}  # the rest of the section stays
    else:
        raw[last] = value
