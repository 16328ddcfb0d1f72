"""`prices.yaml` → what a model's tokens cost; what is not known stays unknown, never 0.

A run's own keys (`llm.input_usd_per_million`, …) go before the file; models that run on this
machine cost nothing by the token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from generator.config import RunConfig, find_prices
from generator.errors import ConfigError
from generator.families import Frozen
from generator.mineconfig import LLM_TEACHER
from generator.modelconfig import ModelConfig
from generator.taxonomy import validation_problems
from generator.yamlfile import read_yaml

_LOCAL = frozenset({"transformers", "vllm", "scripted"})


class Price(Frozen):
    """US dollars per million tokens; `batch_discount` is the share that a batch takes off."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    batch_discount: float | None = Field(default=None, ge=0, le=1)


class _File(Frozen):
    models: Mapping[str, Price] = {}
    batch_discount: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Money:
    """A price in US dollars, low and high: of ordinary calls, and of the same through batches."""

    low: float
    high: float
    batch_low: float
    batch_high: float


@dataclass(frozen=True)
class Prices:
    """What the models of a run cost. Make it with `read_prices`."""

    path: Path
    table: Mapping[str, Price]
    batch_discount: float = 0.5

    def usd(
        self, model: str, prompt: float, completion: float, *, cached: float = 0, batched: bool
    ) -> float | None:
        """The price of so many tokens (`cached` of the prompt's); None where it is not known."""
        price = self.table.get(model)
        if price is None:
            return None
        cached_price = price.input if price.cached_input is None else price.cached_input
        total = (prompt - cached) * price.input + cached * cached_price + completion * price.output
        own = price.batch_discount
        discount = self.batch_discount if own is None else own
        return total / 1e6 * (1 - discount if batched else 1)


def read_prices(config: RunConfig) -> Prices:
    """The prices of a run's models. Raises InputError or ConfigError with every problem."""
    path = find_prices(config)
    try:
        file = _File.model_validate(read_yaml(path) or {})
    except ValidationError as exc:
        raise ConfigError(
            f"{path}: wrong prices",
            hint="MODEL: {input: 2.5, output: 10}, below models:",
            problems=tuple(validation_problems(exc)),
        ) from exc
    everyone = everyone_asked(config)
    own = {model.model: price for model in everyone if (price := _own_price(model))}
    return Prices(path, {**file.models, **own}, file.batch_discount)


def judges_of(config: RunConfig) -> tuple[ModelConfig, ...]:
    """The models that grade, for mining and for refinement."""
    refine, mine = config.refine, config.mine
    teacher = (config.llm,) if mine and mine.teacher_name == LLM_TEACHER else ()
    return (*(refine.judge.graders if refine and refine.judge else ()), *teacher)


def everyone_asked(config: RunConfig) -> tuple[ModelConfig, ...]:
    """Every model that a run asks: its judges, then its writers."""
    return (*judges_of(config), *config.llm.everyone)


def refuse_unpriced(
    config: RunConfig, prices: Prices, asked: Iterable[ModelConfig] | None = None
) -> None:
    """Raise ConfigError where the run has a cap in dollars, and a model without a price.

    `asked` are the models that count, all of the run when None.
    """
    models = everyone_asked(config) if asked is None else asked
    names = dict.fromkeys(model.model for model in models)
    unknown = [name for name in names if name not in prices.table]
    if config.budget.max_cost_usd is None or not unknown:
        return
    raise ConfigError(
        f"a cap on cost needs prices: {', '.join(unknown)} has none in {prices.path}",
        hint="--set llm.input_usd_per_million=… --set llm.output_usd_per_million=…"
        "   (of a judge refine.judge.…; or a line in your own prices.yaml, or --max-tokens)",
    )


def _own_price(model: ModelConfig) -> Price | None:
    given = (model.input_usd_per_million, model.output_usd_per_million)
    if given == (None, None):
        return Price(input=0, output=0) if model.backend in _LOCAL else None
    if None in given:
        raise ConfigError(
            f"llm: {model.model} has a price for one side only",
            hint="set both: llm.input_usd_per_million and llm.output_usd_per_million",
        )
    return Price.model_validate({"input": given[0], "output": given[1]})
