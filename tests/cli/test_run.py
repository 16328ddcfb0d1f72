"""`trine run`: exit codes, what goes to stdout and what to stderr, and every kind of bad input."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from generator import pipeline
from tests.command import COMMAND, Trine


def test_a_run_prints_its_table_to_stderr_alone(trine: Trine, small_recipe: Path) -> None:
    """Exit 0, nothing on stdout, the yield and the number of records on stderr, no bar."""
    ended = trine("run", "-c", small_recipe)
    assert (ended.code, ended.out) == (0, "")
    assert "Yield" in ended.err
    assert f"40 records in {small_recipe.parent / 'run'}" in ended.err
    assert "\r" not in ended.err
    assert "\x1b" not in ended.err


def test_quiet_says_nothing(trine: Trine, small_recipe: Path) -> None:
    """-q: no word on either stream when all goes well."""
    assert trine("run", "-c", small_recipe, "-q") == (0, "", "")


def test_json_is_data_on_stdout(trine: Trine, small_recipe: Path) -> None:
    """--json prints the statistics and nothing else to stdout."""
    ended = trine("run", "-c", small_recipe, "--json")
    assert json.loads(ended.out)["records"] == 40
    assert ended.out.count("\n{") == 0


def test_flags_go_before_the_environment_and_that_before_the_recipe(
    trine: Trine, small_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-n 7 wins over TRINE_COUNT=9, which wins over the recipe's 40; --set wins over all."""
    monkeypatch.setenv("TRINE_COUNT", "9")
    for arguments, rows in (([], 9), (["-n", 7], 7), (["-n", 7, "--set", "count=5"], 5)):
        ended = trine("run", "-c", small_recipe, "--json", "-q", *arguments)
        assert json.loads(ended.out)["records"] == rows


def test_fewer_than_asked_for_is_exit_1(trine: Trine, small_recipe: Path) -> None:
    """The gate of --keep: exit 1 and what to raise; everything is written all the same."""
    ended = trine("run", "-c", small_recipe, "--keep", 41, "-q")
    assert ended.code == 1
    assert "kept 40 of 41 asked for: raise count (-n)" in ended.err
    assert len((small_recipe.parent / "run" / "records.jsonl").read_text().splitlines()) == 40
    assert trine("run", "-c", small_recipe, "--keep", 20, "-q").code == 0


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        (["--set", "count=many"], "count: ", "docs/configuration.md"),
        (["-n", "0"], "count: ", "docs/configuration.md"),
        (["--set", "cuont=5"], "cuont", "docs/configuration.md"),
        (["--set", "llm.modle=x"], "llm > modle", "docs/configuration.md"),
        (["--set", "count"], "--set count: not key=value", "--set llm.concurrency=64"),
        (["--set", "count=[1"], "not valid YAML", "edit --set count"),
        (["--set", "languages=[xx]"], "languages: unknown xx", "one of: en, ja, no"),
        (["--set", "families=[poems]"], "families: unknown poems", "one of: pairs, steps"),
        (["--set", "form=verse"], "has no form 'verse'", "--set form=auto"),
        (["--set", "filters.lenght=false"], "lenght", "docs/filters.md"),
        (["--tasks", "nowhere.yaml"], "nowhere.yaml", "check the path"),
        (["--set", "llm.backend=openai"], "no API key", "OPENAI_API_KEY"),
    ],
)
def test_bad_input_is_exit_2_with_a_hint(
    trine: Trine, small_recipe: Path, arguments: list[str], words: str, hint: str
) -> None:
    """What is wrong, where, and something to type; no traceback and no data set."""
    ended = trine("run", "-c", small_recipe, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert words in ended.err
    assert hint in ended.err.split("hint: ")[1]
    assert "Traceback" not in ended.err
    assert not (small_recipe.parent / "run" / "records.jsonl").exists()


@pytest.mark.parametrize("arguments", [["run", "--no-such-flag"], ["run", "-n", "many"], ["rnu"]])
def test_a_wrong_flag_is_exit_2(trine: Trine, arguments: list[str]) -> None:
    """What click finds itself is bad input too."""
    ended = trine(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("write.j2", "{{ tone }}", "{{ tune }}", ["undefined variable 'tune'", "write.j2"]),
        ("passage.j2", None, None, ["passage.j2", "steps > forms > staged > steps > passage"]),
        ("question.j2", "{{ language }}", "{{ language", ["question.j2", "steps > question"]),
    ],
)
def test_a_broken_template_is_found_before_anything_is_asked(
    trine: Trine, small_recipe: Path, file: str, old: str, new: str, words: list[str]
) -> None:
    """An undefined variable, a missing file, a syntax error: each with its place."""
    path = small_recipe.parent / "small" / "prompts" / file
    if old is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(old, new))
    ended = trine("run", "-c", small_recipe)
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "hint: trine tasks check" in ended.err
    assert not (small_recipe.parent / "run").exists()


def test_an_unknown_key_of_the_taxonomy_is_named(trine: Trine, small_recipe: Path) -> None:
    """Two wrong keys are two problems, each with its place."""
    path = small_recipe.parent / "small" / "tasks.yaml"
    text = path.read_text().replace(
        "share: 1\n    axes:\n      tone", "shrae: 1\n    axes:\n      tone"
    )
    path.write_text(text.replace("{name: English,", "{nmae: English,"))
    ended = trine("run", "-c", small_recipe)
    assert ended.code == 2
    assert "families > pairs > shrae: unknown key (did you mean share?)" in ended.err
    assert "languages > en > nmae: unknown key (did you mean name?)" in ended.err


def test_another_model_or_seed_tells_what_becomes_of_the_records(
    trine: Trine, small_recipe: Path
) -> None:
    """They leave records.jsonl, which nobody who changes a flag may expect; and come back."""
    assert trine("run", "-c", small_recipe, "-m", "one").code == 0
    path = small_recipe.parent / "run" / "records.jsonl"
    before = path.read_bytes()
    number = len(before.splitlines())
    assert "stay in the journal" not in trine("run", "-c", small_recipe, "-m", "one").err
    other = trine("run", "-c", small_recipe, "-m", "two").err
    assert f"note: {number} records by one: out of records.jsonl" in other
    assert "-m one brings the records back" in other
    assert trine("run", "-c", small_recipe, "-m", "one").code == 0
    assert path.read_bytes() == before
    reseeded = trine("run", "-c", small_recipe, "-m", "one", "--seed", "7").err
    assert f"note: {number} records by one, seed 42: out of records.jsonl" in reseeded
    assert "--seed 42 brings" in reseeded


@pytest.mark.parametrize("verb", ["run", "generate", "plan"])
def test_nothing_said_is_no_order(
    trine: Trine, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the embedded model at work for an hour on families that it cannot write."""
    monkeypatch.chdir(tmp_path)
    ended = trine(verb, "-n", 10)
    assert (ended.code, "no recipe and no model is named" in ended.err) == (2, True)
    assert "-c quickstart" in ended.err
    assert not list(tmp_path.iterdir())


def test_no_recipe_of_that_name(trine: Trine) -> None:
    """The packaged ones are listed."""
    ended = trine("run", "-c", "e5-mitsral")
    assert ended.code == 2
    assert "no recipe e5-mitsral" in ended.err
    assert "no recipe e5-mitsral (did you mean e5-mistral?)" in ended.err
    assert "e5-mistral, " in ended.err.split("hint: ")[1]


def test_an_interrupt_exits_130_with_the_command_that_resumes(
    trine: Trine, small_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stage it strikes in."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "describe", interrupted)
    ended = trine("run", "-c", small_recipe, "--set", "filters.empty={}")
    assert ended.code == 130
    assert "every answer so far is kept" in ended.err
    assert f"trine run -c {small_recipe} --set 'filters.empty={{}}'" in ended.err


def test_an_interrupt_promises_nothing_where_nothing_is_kept(
    trine: Trine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`trine stats` asks nobody and has no answers."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("generator.cli.stats.existing_run", interrupted)
    ended = trine("stats", finished)
    assert ended.code == 130
    assert ended.err.strip() == f"interrupted. To start again:\n  trine stats {finished}"


def test_a_bug_exits_3_with_a_log(
    trine: Trine, small_recipe: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The log holds the traceback, the screen its path."""

    def broken(*_: object) -> None:
        message = "never so"
        raise ZeroDivisionError(message)

    monkeypatch.setattr(pipeline, "describe", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = trine("run", "-c", small_recipe, "-q")
    assert ended.code == 3
    assert ended.err.startswith("bug: ZeroDivisionError: never so\nhint: ")
    assert "Traceback" in Path(ended.err.split("report it with ")[1].strip()).read_text()


def on_a_terminal(*arguments: object) -> str:
    """What the command writes to a terminal, with NO_COLOR."""
    main_end, child_end = pty.openpty()
    environ = {**os.environ, "NO_COLOR": "1"}
    command = [*COMMAND, *map(str, arguments)]
    subprocess.run(command, stdout=child_end, stderr=child_end, env=environ, check=False)
    os.close(child_end)
    screen = os.read(main_end, 1 << 20).decode()
    os.close(main_end)
    return screen


def test_a_terminal_gets_a_line_that_is_redrawn(small_recipe: Path) -> None:
    """On a terminal the progress line returns to its start; NO_COLOR leaves bold type at most."""
    screen = on_a_terminal("run", "-c", small_recipe)
    assert "\rgenerate 0/40 · " in screen  # before the first answer, which may take minutes
    assert "\rgenerate 40/40 · " in screen
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", screen)


def test_no_color_is_honoured_in_errors_too() -> None:
    """No escape at all in an error."""
    assert on_a_terminal("run", "-c", "nope").startswith("error: no recipe nope\r\nhint: ")


@pytest.mark.parametrize(
    "override",
    ["llm.base_url=localhost:8000/v1", "llm.endpoints=[{base_url: gpu1}]"],
)
def test_an_address_without_a_scheme_is_told_before_anything_is_asked(
    trine: Trine, small_recipe: Path, override: str
) -> None:
    """With the address that was probably meant."""
    ended = trine("plan", "-c", small_recipe, "--set", "llm.backend=openai", "--set", override)
    assert ended.code == 2
    assert "begins with http:// or https://: http://" in ended.err


def test_a_plan_takes_the_flags_of_its_run(trine: Trine, small_recipe: Path) -> None:
    """--keep too: the draws are the most that it may take."""
    ended = trine("plan", "-c", small_recipe, "--keep", 5)
    assert ended.code == 0
    assert "note: it ends with 5 records; these are all draws that it may take" in ended.err
