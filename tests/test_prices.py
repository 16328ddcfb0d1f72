"""Prices: found, overridden, and never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.config import load_config, packaged_data
from generator.errors import ConfigError, InputError
from generator.prices import Prices, read_prices, refuse_unpriced
from tests.command import Trine, recipe


def prices_of(*overrides: str, **flags: Any) -> Prices:
    """The prices of a configuration of a hosted model."""
    defaults = {"llm.backend": "openai", "llm.model": "gpt-4o-mini"}
    return read_prices(load_config(None, overrides, environ={}, **{**defaults, **flags}))


def test_the_shipped_table_has_the_models_of_the_recipes() -> None:
    """Each price is above 0, cached input is no dearer than other input."""
    prices = prices_of()
    assert {"gpt-4o", "gpt-4o-mini"} <= set(prices.table)
    for price in prices.table.values():
        assert 0 < (price.cached_input or price.input) <= price.input < price.output
    assert prices.path == packaged_data() / "prices.yaml"


def test_a_sum_by_hand() -> None:
    """Cached tokens are cheaper, a batch costs half, reasoning is part of the output."""
    Path("prices.yaml").write_text(
        "models:\n  m: {input: 2, cached_input: 0.5, output: 8}\n"
        "  n: {input: 1, output: 1, batch_discount: 0.25}\n"
    )
    prices = prices_of(**{"llm.model": "m"})
    assert prices.path == Path("prices.yaml")
    usd = (600 * 2 + 400 * 0.5 + 100 * 8) / 1e6
    assert prices.usd("m", 1000, 100, cached=400, batched=False) == usd
    assert prices.usd("m", 1000, 100, cached=400, batched=True) == usd / 2
    assert prices.usd("n", 1000, 1000, cached=400, batched=True) == pytest.approx(0.0015)
    assert prices.usd("gpt-4o-mini", 1, 1, batched=False) is None  # only the file at hand counts


def test_a_runs_own_prices_go_before_the_file() -> None:
    """Both sides, also 0; a model on this machine costs nothing; the file is by flag too."""
    own = ("llm.input_usd_per_million=1", "llm.output_usd_per_million=0")
    assert prices_of(*own).usd("gpt-4o-mini", 10**6, 10**6, batched=False) == 1.0
    local = prices_of(**{"llm.backend": "transformers", "llm.model": "x"})
    assert local.usd("x", 10**6, 10**6, batched=False) == 0.0
    assert prices_of(**{"llm.model": "x"}).usd("x", 1, 1, batched=False) is None
    Path("mine.yaml").write_text("models: {x: {input: 1, output: 2}}")
    mine = prices_of(**{"llm.model": "x", "prices": "mine.yaml"})
    assert mine.usd("x", 10**6, 10**6, batched=False) == 3.0
    with pytest.raises(ConfigError, match="one side only"):
        prices_of("llm.input_usd_per_million=1")


def test_a_writer_of_another_model_does_not_inherit_a_price() -> None:
    """`llm`'s price is that of `llm.model`."""
    own = ("llm.input_usd_per_million=1", "llm.output_usd_per_million=1")
    prices = prices_of(*own, "llm.writers=[{weight: 1}, {model: other}]")
    assert prices.usd("gpt-4o-mini", 10**6, 0, batched=False) == 1.0
    assert prices.usd("other", 10**6, 0, batched=False) is None


@pytest.mark.parametrize("text", ["models: {m: {input: -1, output: 2}}", "models: {m: 3}", "[1]"])
def test_a_wrong_file_is_told(text: str) -> None:
    """With its place and how a price is written."""
    Path("prices.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.yaml: wrong prices") as told:
        prices_of()
    assert "input: 2.5" in told.value.hint
    assert told.value.problems


def test_a_file_that_is_not_there_is_told() -> None:
    """Named with --set prices, it is not looked for elsewhere."""
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        prices_of(prices="nowhere.yaml")


def test_a_cap_on_cost_needs_prices() -> None:
    """The error names the models; a cap on tokens needs none."""
    config = load_config(
        None, ["llm.writers=[{model: gpt-4o}, {model: mine}]", "budget.max_cost_usd=1"],
        environ={}, **{"llm.backend": "openai"},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="mine has none") as told:
        refuse_unpriced(config, read_prices(config))
    assert "llm.input_usd_per_million" in told.value.hint
    tokens = load_config(None, ["budget.max_tokens=1"], environ={}, **{"llm.backend": "openai"})
    refuse_unpriced(tokens, read_prices(tokens))


def test_plan_tells_what_has_no_price(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By model, with the sum unknown; with prices, the price of batches beside the other."""
    llm = "{backend: openai, model: m, writers: [{weight: 1}, {model: gpt-4o-mini}]}"
    path = recipe(small_taxonomy, tmp_path, llm=llm)
    trine = Trine(capsys)
    ended = trine("plan", "-c", path)
    assert ended.code == 0
    assert "note: m: no price in" in ended.err
    assert "price" in ended.out
    assert "unknown" in ended.out
    Path("prices.yaml").write_text(
        "models: {m: {input: 900, output: 900}, gpt-4o-mini: {input: 900, output: 900}}"
    )
    priced = trine("plan", "-c", path, "--max-cost", "1", "--max-tokens", "100")
    assert "price through batches" in priced.out
    assert "the cap of $1.00 may stop it" in priced.err
    assert "the cap of 100 tokens may stop it" in priced.err
    assert "unknown" not in priced.out
