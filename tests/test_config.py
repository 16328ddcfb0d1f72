"""The configuration: what goes before what, what is refused, and keys that never show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.config import (
    RunConfig,
    api_key,
    find_recipe,
    find_taxonomy,
    load_config,
    packaged_data,
    validated,
)
from generator.errors import ConfigError, InputError
from generator.plan import make_plan

_FOLDER = Path(__file__).parent.parent / "recipes"
RECIPES = sorted(
    p for p in _FOLDER.glob("*.yaml") if not p.name.startswith(("train-", "iterative"))
)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """A recipe that sets a count, a seed and a model."""
    path = tmp_path / "mine.yaml"
    path.write_text("count: 1\nseed: 1\nkeep: 1\nllm: {model: recipe, top_p: 0.5}\n")
    return str(path)


def test_flags_go_before_the_environment_and_that_before_the_recipe(recipe: str) -> None:
    """`--set` goes before all; what nobody sets has its default; siblings stay."""
    config = load_config(
        recipe,
        ["keep=4", "llm.concurrency=9"],
        {"TRINE_SEED": "2", "TRINE_KEEP": "2", "TRINE_LLM__MODEL": "environment"},
        **{"keep": 3, "llm.model": "flag", "count": None},
    )
    assert (config.count, config.seed, config.keep) == (1, 2, 4)
    assert (config.llm.model, config.llm.top_p, config.llm.concurrency) == ("flag", 0.5, 9)
    assert config.llm.max_attempts == 3
    assert config.output == Path("outputs/mine")


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same goes for keys."""
    monkeypatch.setenv("TRINE_LLM__MODEL", "m")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert load_config().llm.model == "m"
    assert api_key() == "k"


def test_every_problem_is_told_at_once() -> None:
    """Unknown keys, wrong types and bounds, from any source, each with its place."""
    with pytest.raises(ConfigError) as caught:
        load_config(
            None,
            ["count=many", "llm.top_p=2", "llm.modle=x", "dedupe.near_threshold=0"],
            {"TRINE_COLOUR": "red", "TRINE_LLM__API_KEY": "secret"},
            seed=-1,
        )
    places = sorted(problem.split(":")[0] for problem in caught.value.problems)
    assert places == [
        "colour", "count", "dedupe > near_threshold", "llm > api_key", "llm > modle",
        "llm > top_p", "seed",
    ]  # fmt: skip
    assert "secret" not in str(caught.value)
    assert "docs/configuration.md" in caught.value.hint


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("count=7", {"count": 7}),
        ("form=staged", {"form": "staged"}),
        ("keep=null", {"keep": None}),
        ("llm.temperature=0", {"llm": {"temperature": 0}}),
        ("llm.base_url=http://h:1/v1?a=b", {"llm": {"base_url": "http://h:1/v1?a=b"}}),
        ("families=sts", {"families": {"sts": 1.0}}),
        ("families=[sts, bitext]", {"families": {"sts": 1.0, "bitext": 1.0}}),
        ("families={sts: 3}", {"families": {"sts": 3.0}}),
        ("languages=no", {"languages": {"no": None}}),
        ("languages=[en,no]", {"languages": {"en": None, "no": None}}),
        ("languages={ja: 2, en: null}", {"languages": {"ja": 2.0, "en": None}}),
        ("filters.length=false", {"filters": {"length": False}}),
        ("filters.length={tolerance: 3}", {"filters": {"length": {"tolerance": 3}}}),
    ],
)
def test_overrides_are_yaml(override: str, read: dict[str, Any]) -> None:
    """Numbers, nulls, lists and mappings mean what they mean in a recipe."""
    config = load_config(None, [override], {})
    for key, value in read.items():
        found = getattr(config, key)
        if key == "llm":
            assert {name: getattr(found, name) for name in value} == value
        else:
            assert found == value


@pytest.mark.parametrize("override", ["count", "=3", " =3", "count=[", "count=a: b: c"])
def test_an_override_that_cannot_be_read_is_told(override: str) -> None:
    """As a user's error, with what was typed."""
    with pytest.raises((ConfigError, InputError)) as caught:
        load_config(None, [override], {})
    assert override.partition("=")[0].strip() in caught.value.message


@pytest.mark.parametrize(
    "raw",
    [
        {"families": []},
        {"families": {}},
        {"families": {"sts": 0}},
        {"families": {"sts": -1}},
        {"families": {"sts": float("nan")}},
        {"families": {"sts": float("inf")}},
        {"families": {"sts": None}},
        {"families": [{"sts": 3}]},
        {"families": [["sts"]]},
        {"families": 3},
        {"languages": {"en": 0}},
        {"languages": [None]},
        {"languages": [True]},
        {"count": 0},
        {"count": 1.5},
        {"keep": 0},
        {"llm": None},
        {"llm": "gpt"},
        {"llm": {"backend": "bard"}},
        {"llm": {"backend": ["openai"]}},
        {"llm": {"concurrency": 0}},
        {"llm": {"temperature": float("inf")}},
        {"filters": {"length": True}},
        {1: 2},
    ],
)
def test_wrong_values_are_refused_and_crash_nothing(raw: dict[Any, Any]) -> None:
    """With at least one problem that names the key."""
    with pytest.raises(ConfigError) as caught:
        validated(raw, "x")
    assert caught.value.problems
    assert str(next(iter(raw))) in caught.value.problems[0]


def test_every_back_end_has_a_model_of_its_own() -> None:
    """A named model stays."""
    models = {
        name: load_config(None, [f"llm.backend={name}"], {}).llm.model
        for name in ("transformers", "openai", "scripted")
    }
    assert models == {
        "transformers": "smollm2-135m-instruct",
        "openai": "gpt-4o-mini",
        "scripted": "-",
    }
    assert load_config(None, ["llm.model=x", "llm.backend=openai"], {}).llm.model == "x"
    assert RunConfig().llm.model == models["transformers"]


def test_keys_come_from_the_environment_and_never_show() -> None:
    """Not in the representation of a configuration nor in what a manifest holds."""
    environ = {"TRINE_API_KEY": "sk-one", "OPENAI_API_KEY": "sk-two", "TRINE_COUNT": "5"}
    config = load_config(None, (), environ)
    assert config.count == 5
    for text in (repr(config), str(config.model_dump()), config.model_dump_json()):
        assert "sk-" not in text
    assert api_key(environ) == "sk-one"
    assert api_key({**environ, "TRINE_API_KEY": ""}) == "sk-two"
    assert api_key({}) is None


def test_a_configuration_does_not_change() -> None:
    """It is frozen."""
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().count = 3  # type: ignore[misc]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_load_and_have_a_plan(path: Path, tmp_path: Path) -> None:
    """By path and by name; their families and languages are in the taxonomy."""
    config = load_config(path.stem, environ={})
    assert config == load_config(str(path), environ={})
    if config.corpus:
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "a.md").write_text("# Rivers\n\nA river is water that flows.\n" * 9)
        config = load_config(str(path), [f"corpus={tmp_path / 'docs'}", f"output={tmp_path}"], {})
    plan = make_plan(config)
    assert plan.quotas
    assert next(plan.draws()).family in {quota.name for quota in plan.quotas}


def test_a_recipe_that_is_not_there_is_answered_with_those_that_are() -> None:
    """Also for names that are no file's."""
    for name in ("nothing", "", ".", "..", "no/such.yaml"):
        with pytest.raises(InputError, match="no recipe") as caught:
            find_recipe(name)
        assert all(path.stem in caught.value.hint for path in RECIPES)


@pytest.mark.parametrize("text", ["- a", "x", "count: [", "count: 1\ncount: 2"])
def test_a_recipe_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """With its path; an empty one sets nothing."""
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises((ConfigError, InputError)) as caught:
        load_config(str(path), environ={})
    assert str(path) in caught.value.message
    path.write_text("# nothing\n")
    assert load_config(str(path), environ={}).count == 100


def test_the_taxonomy_is_the_one_configured_then_the_folders_then_the_packaged(
    tmp_path: Path,
) -> None:
    """The prompts lie beside tasks.yaml, where there are any."""
    packaged = packaged_data()
    assert find_taxonomy(RunConfig(), tmp_path) == (packaged / "tasks.yaml", packaged / "prompts")
    (tmp_path / "tasks.yaml").touch()
    (tmp_path / "prompts").mkdir()
    mine = (tmp_path / "tasks.yaml", tmp_path / "prompts")
    assert find_taxonomy(RunConfig(), tmp_path) == mine
    assert find_taxonomy(RunConfig(tasks=tmp_path / "tasks.yaml"))[1] == tmp_path / "prompts"
    config = RunConfig(tasks=tmp_path / "t.yaml", prompts=tmp_path / "p")
    assert find_taxonomy(config, tmp_path) == (tmp_path / "t.yaml", tmp_path / "p")
