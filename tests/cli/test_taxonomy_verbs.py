"""`trine init`, `tasks`, `prompt` and `plan`: they call no model, and find what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.command import Trine


@pytest.fixture
def flags(small_taxonomy: tuple[Path, Path]) -> list[str]:
    """--tasks and --prompts of the small taxonomy."""
    tasks, prompts = small_taxonomy
    return ["--tasks", str(tasks), "--prompts", str(prompts)]


def test_init_copies_a_taxonomy_that_holds_together(trine: Trine, tmp_path: Path) -> None:
    """What it writes passes `tasks check` there, and is not overwritten."""
    folder = tmp_path / "mine"
    ended = trine("init", folder)
    assert (ended.code, ended.out) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "prompts",
        "recipe.yaml",
        "tasks.yaml",
    ]
    checked = trine("tasks", "--tasks", folder / "tasks.yaml", "check")
    assert checked.code == 0
    assert f"{folder / 'tasks.yaml'}, {folder / 'prompts'}: " in checked.out
    again = trine("init", folder)
    assert (again.code, "exists already" in again.err) == (2, True)
    (tmp_path / "file").touch()
    assert trine("init", tmp_path / "file").code == 2


def test_tasks_lists_checks_and_shows(trine: Trine, flags: list[str]) -> None:
    """The list and one family go to stdout; a family that is none is exit 2 with the names."""
    listed = trine("tasks", *flags)
    assert listed.code == 0
    assert "A question finds a passage." in listed.out
    assert "2 families, 3 languages, no problem" in trine("tasks", *flags, "check").out
    shown = trine("tasks", *flags, "show", "pairs")
    assert yaml.safe_load(shown.out)["pairs"]["forms"].keys() == {"single"}
    unknown = trine("tasks", *flags, "show", "poems")
    assert unknown.code == 2
    assert "hint: one of: pairs, steps" in unknown.err
    assert "'pars' (did you mean pairs?)" in trine("tasks", *flags, "show", "pars").err


def test_a_prompts_folder_that_is_not_there_is_one_problem(
    trine: Trine, flags: list[str], tmp_path: Path
) -> None:
    """Not one for each template and list that it would hold."""
    ended = trine("tasks", *flags[:2], "--prompts", tmp_path / "promts", "check")
    assert (ended.code, len(ended.err.splitlines())) == (2, 2)
    assert f"{tmp_path / 'promts'}: no such folder" in ended.err


def test_a_step_that_is_none_is_told_with_those_there_are(trine: Trine, flags: list[str]) -> None:
    """The names of steps stand in tasks.yaml alone."""
    ended = trine("prompt", "pairs", *flags, "--step", "wrte")
    assert (ended.code, "hint: one of: brainstorm, write" in ended.err) == (2, True)


def test_tasks_check_finds_all_problems_at_once(
    trine: Trine, flags: list[str], small_taxonomy: tuple[Path, Path]
) -> None:
    """A missing template and an undefined variable are told together."""
    _, prompts = small_taxonomy
    (prompts / "passage.j2").unlink()
    (prompts / "write.j2").write_text("{{ nobody }}")
    ended = trine("tasks", *flags, "check")
    assert (ended.code, ended.out) == (2, "")
    assert "passage.j2" in ended.err
    assert "undefined variable 'nobody'" in ended.err


def test_prompt_prints_every_step(trine: Trine, flags: list[str]) -> None:
    """Messages on stdout, parameters on stderr; later steps show what earlier ones answer."""
    ended = trine("prompt", "steps", *flags, "--index", 2, "--language", "ja")
    assert ended.code == 0
    assert ended.out.count("[user]") == 2
    assert "in Japanese: <passage>" in ended.out
    assert "steps@1/staged/ja#2 · question" in ended.err
    one = trine("prompt", "pairs", *flags, "--step", "brainstorm")
    assert one.out.startswith("[user]\nName 3 tasks about ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["poems"], "families: unknown poems"),
        (["pairs", "--language", "xx"], "languages: unknown xx"),
        (["pairs", "--step", "sing"], "no step 'sing'"),
        (["pairs", "--index", "-1"], "--index"),
    ],
)
def test_prompt_refuses_what_there_is_not(
    trine: Trine, flags: list[str], arguments: list[str], words: str
) -> None:
    """Exit 2 and the word that is wrong."""
    ended = trine("prompt", *arguments, *flags)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_plan_estimates_and_writes_nothing(trine: Trine, small_recipe: Path) -> None:
    """Calls, tokens and price, as a table or as JSON, and no folder is made."""
    ended = trine("plan", "-c", small_recipe)
    assert ended.code == 0
    assert "calls" in ended.out
    price = ["--set", "llm.input_usd_per_million=2.5", "--set", "llm.output_usd_per_million=10"]
    found = json.loads(trine("plan", "-c", small_recipe, "--json", *price).out)
    assert "under $0.01" in trine("plan", "-c", small_recipe, "-n", 1, *price).out
    assert found["draws"] == sum(found["by_family"].values()) == 40
    assert found["calls"] >= 60
    assert 0 < found["usd"]["low"] <= found["usd"]["high"]
    assert not (small_recipe.parent / "run").exists()


def test_plan_is_what_a_run_asks(trine: Trine, small_recipe: Path) -> None:
    """When every answer parses at once, the calls are exactly those of the run."""
    planned = json.loads(trine("plan", "-c", small_recipe, "--json").out)
    done = json.loads(trine("run", "-c", small_recipe, "--json", "-q").out)
    assert planned["calls"] == done["usage"]["requests"]
