"""Did-you-mean: names, keys of a configuration, recipes of another verb."""

from __future__ import annotations

import pytest

from generator.config import RunConfig, load_config
from generator.errors import ConfigError
from generator.nearest import keys_at, nearest


def test_what_is_near() -> None:
    """By its letters, or as the country's code of the language; nothing where nothing is."""
    assert nearest("short-lnog", ["sts", "short-long"]) == " (did you mean short-long?)"
    assert nearest("jp", ["en", "ja"]) == " (did you mean ja?)"
    assert nearest("Japanese", ["en", "ja"]) == " (did you mean ja?)"
    assert nearest("jp", ["en"]) == ""
    assert nearest("xyzzy", ["en", "ja"]) == ""


def test_the_keys_of_a_section() -> None:
    """Of the top, of a section within another one, and none of what is no section."""
    assert "llm" in keys_at(RunConfig, ())
    assert "max_cost_usd" in keys_at(RunConfig, ("budget",))
    assert "max_num_seqs" in keys_at(RunConfig, ("llm", "vllm"))
    assert keys_at(RunConfig, ("count", "x")) == []


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("llm.modle=x", "llm > modle: unknown key (did you mean model?)"),
        ("cuont=5", "cuont: unknown key (did you mean count?)"),
        ("dedupe.near_treshold=1", "dedupe > near_treshold: unknown key (did you mean near_thres"),
    ],
)
def test_a_misspelt_key_is_told_with_the_one_that_is_meant(override: str, told: str) -> None:
    """In the message, beside the place."""
    with pytest.raises(ConfigError) as caught:
        load_config("quickstart", [override], {})
    assert told in str(caught.value)


def test_a_recipe_of_another_verb_is_told_by_its_verb() -> None:
    """Not by each of its keys, which are all right where they belong."""
    with pytest.raises(ConfigError, match="a recipe of trine train, not of trine run") as caught:
        load_config("train-small", (), {})
    assert "quickstart" in caught.value.hint
    from generator.trainer.config import load_train_config  # noqa: PLC0415 - a test of its own

    with pytest.raises(ConfigError, match="a recipe of trine run, not of trine train"):
        load_train_config("quickstart")
