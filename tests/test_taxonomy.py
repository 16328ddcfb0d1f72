"""`tasks.yaml`: every problem at once, each with its place; a new family without Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SMALL_TASKS

from generator.config import load_config
from generator.errors import InputError, TaxonomyError
from generator.pipeline import run
from generator.plan import load_checked
from generator.taxonomy import examine, family_of, load_taxonomy
from generator.yamlfile import parse_yaml

FORM: dict[str, Any] = {
    "steps": {"write": {"template": "w.j2", "reply": {"q": "string", "p": "string"}}},
    "record": {"task": "Find.", "query": "{{ q }}", "positives": ["{{ p }}"]},
}


def family(**changes: Any) -> dict[str, Any]:
    """A sound family with some keys changed."""
    return {"version": 1, "description": "d", "forms": {"single": FORM}, **changes}


def problems_of(folder: Path, families: dict[str, Any], **top: Any) -> list[str]:
    """The problems of a taxonomy that holds these families."""
    raw = {"languages": {"en": {"name": "English"}}, "families": families, **top}
    path = folder / "tasks.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    (folder / "w.j2").write_text("Write.", encoding="utf-8")
    return examine(path, folder)[1]


def test_a_sound_taxonomy_is_read(small_taxonomy: tuple[Path, Path]) -> None:
    """Lists are resolved, defaults filled in, `no` stays Norwegian."""
    taxonomy = load_taxonomy(*small_taxonomy)
    assert list(taxonomy.languages) == ["en", "ja", "no"]
    assert taxonomy.languages["no"].weight == 1.0
    assert taxonomy.families["steps"].axes["topic"].values == ("rivers", "bread", "chess")
    assert taxonomy.families["pairs"].in_batch == "all"


def test_no_is_norwegian_without_quotes() -> None:
    """Also `on`, `yes` and dates are texts; `true` and numbers are not."""
    read = parse_yaml("{no: on, y: yes, d: 2024-01-01, t: true, n: 4.5}", "x")
    assert read == {"no": "on", "y": "yes", "d": "2024-01-01", "t": True, "n": 4.5}


def test_all_problems_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    """One error names every one of many mistakes, in families and in lists."""
    broken = {
        "a": family(colour="red", share=-1, version=0),
        "b": family(axes={"x": {"values": {"v": -2}}, "y": {"list": "nowhere"}}),
        "c": family(forms={"single": {**FORM, "steps": {"w": {"template": "w.j2", "reply": {}}}}}),
        "d": family(forms={"single": {**FORM, "steps": {"w": {**FORM["steps"]["write"],
                    "reply": {"q": {"type": "number"}, "p": {"max_chars": 0}}}}}}),
        "e": family(languages=["en", "xx"], axes={"x": {"values": ["v"], "when": {"z": ["w"]}}}),
    }  # fmt: skip
    problems = problems_of(tmp_path, broken, lists={"l": {"file": "gone.txt"}, "m": 3}, more=1)
    starts = [
        "lists > l: [Errno 2]",
        "lists > m: neither a list",
        "families > b > axes > y: no list is called 'nowhere'",
        "families > a > colour: unknown key",
        "families > a > share: Input should be greater than or equal to 0",
        "families > a > version: Input should be greater than 0",
        "families > b > axes > x > weights: weights must be above 0",
        "families > c > forms > single > steps > w > reply: ",
        "families > d > forms > single > steps > w > reply > q > type: Input should be 'string'",
        "families > d > forms > single > steps > w > reply > p > max_chars: ",
        "more: unknown key",
        "families > e > languages: 'xx' is not listed",
        "families > e > forms > single > axes > x: no axis 'z' stands before it",
    ]
    for start in starts:
        assert [p for p in problems if p.startswith(start)], (start, problems)
    assert len(problems) == len(starts)


@pytest.mark.parametrize(
    ("axes", "problem"),
    [
        ({"b": ["x", "y"], "a": {"values": ["x", "y"], "distinct_from": "b"}}, None),
        (
            {"a": {"values": ["x", "z"], "distinct_from": "b"}, "b": ["y"]},
            "no axis 'b' stands before",
        ),
        ({"b": ["x"], "a": {"values": ["x"], "distinct_from": "b"}}, "one value alone cannot"),
        ({"b": ["x"], "a": {"values": ["y"], "when": {"b": ["X"]}}}, "it is never 'X'"),
        ({"b": [4, 4.5], "a": {"values": ["y"], "when": {"b": [4]}}}, None),
        ({"a": ["x", "x"]}, "a value stands twice"),
        ({"a": ["x", {"need": "a colon in a text"}]}, "valid string"),
        ({"a": ["x", None]}, "valid string"),
        ({"a": ["x", True]}, "valid string"),
        ({"a": []}, "at least 1 item"),
        ({"a": {"values": {"x": 1, "y": 2}, "order": "cycle"}}, "it has no weights"),
        ({"a": {"values": {"x": float("inf")}}}, "finite number"),
        ({"a": {"list": ["x"]}}, "no list is called ['x']"),
        ({"a": {"list": "l", "values": ["x"]}}, "either a list or values"),
        ({"a": {"values": ["x"], "order": "sorted"}}, "'random' or 'cycle'"),
        ({"language": ["x"]}, None),  # the templates' affair: see test_prompts.py
    ],
)
def test_axes_that_cannot_be_drawn_are_refused(
    tmp_path: Path, axes: dict[str, Any], problem: str | None
) -> None:
    """Each with one problem, at the axis; sound neighbours have none."""
    problems = problems_of(tmp_path, {"f": family(axes=axes)}, lists={"l": ["x"]})
    assert len(problems) == (problem is not None), problems
    assert (problem or "") in "".join(problems)


@pytest.mark.parametrize("name", ["axes", "list", "forms", "brainstorm"])
def test_families_and_steps_may_bear_any_name(tmp_path: Path, name: str) -> None:
    """Names are data: none of them is taken for a key of the format."""
    form = {**FORM, "steps": {name: FORM["steps"]["write"]}, "axes": {name: {"list": "l"}}}
    assert problems_of(tmp_path, {name: family(forms={name: form})}, lists={"l": ["x"]}) == []


def test_a_language_code_with_a_hyphen_is_refused(tmp_path: Path) -> None:
    """It could not be told from a pair."""
    languages = {"zh-TW": {"name": "Chinese"}}
    found = problems_of(tmp_path, {"f": family()}, languages=languages)
    assert found == ["languages > zh-TW: a hyphen joins the codes of a pair; write zh_TW"]


@pytest.mark.parametrize("top", [{"lists": ["x"]}, {"lists": "x"}, {"lists": {"x": {"file": 3}}}])
def test_wrong_lists_are_a_problem_and_no_crash(tmp_path: Path, top: dict[str, Any]) -> None:
    """Whatever stands under `lists`."""
    assert len(problems_of(tmp_path, {"f": family()}, **top)) == 1


def test_templates_and_filters_are_told_together_with_the_yaml(tmp_path: Path) -> None:
    """One broken family hides nothing of what is wrong with another."""
    missing = {**FORM, "steps": {"write": {**FORM["steps"]["write"], "template": "gone.j2"}}}
    families = {
        "a": family(colour="red"),
        "b": family(forms={"single": missing}),
        "c": family(filters={"lenght": {}}),
    }
    problems_of(tmp_path, families)
    config = load_config(environ={}, tasks=tmp_path / "tasks.yaml", prompts=tmp_path)
    with pytest.raises(TaxonomyError) as caught:
        load_checked(config)
    told = caught.value.problems
    assert [problem.split(":")[0] for problem in told] == [
        "families > a > colour",
        "families > b > forms > single > steps > write",
        "families > c > filters > lenght",
    ]
    assert "gone.j2" in told[1]
    assert "did you mean length" in told[2]
    assert caught.value.message == f"{tmp_path / 'tasks.yaml'}: 3 problems"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [\n", ":3:1: not valid YAML: "),
        ("a: 1\n  b: 2\n", ":2:4: not valid YAML: mapping values are not allowed"),
        ("a:\n  x: 1\n  y: 2\n  'x': 3\n", ":4:3: not valid YAML: the key 'x' stands twice"),
        ("? [a]\n: b\n", ":1:3: not valid YAML: found unhashable key"),
        ("a: \x01", "not valid YAML: unacceptable character"),
        ("[" * 2_000, "not valid YAML"),
        ("a: !!int x", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("a: !!python/object:os.system {}", "not valid YAML: could not determine"),
    ],
)
def test_what_is_no_yaml_is_told_with_line_and_column(
    tmp_path: Path, text: str, message: str
) -> None:
    """As an InputError, whatever the parser underneath raises."""
    path = tmp_path / "tasks.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_taxonomy(path, tmp_path)
    assert message in caught.value.message
    assert caught.value.message.startswith(str(path))


def test_a_merged_key_may_be_overridden() -> None:
    """`<<` brings defaults; that is no key that stands twice, however often it is merged."""
    text = "b: &b {k: 1, j: 2}\nx:\n  a: &a {<<: *b, k: 3}\nc: {<<: *a}\n"
    assert parse_yaml(text, "x")["c"] == {"k": 3, "j": 2}


@pytest.mark.parametrize("text", ["", "- a", "text", "3"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """With the page that shows one."""
    (tmp_path / "tasks.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TaxonomyError, match="not a mapping") as caught:
        load_taxonomy(tmp_path / "tasks.yaml", tmp_path)
    assert "docs/taxonomy.md" in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or no UTF-8."""
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for path in (tmp_path / "gone.yaml", tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(InputError) as caught:
            load_taxonomy(path, tmp_path)
        assert str(path) in caught.value.message


def test_an_unknown_family_is_answered_with_the_known_ones(
    small_taxonomy: tuple[Path, Path],
) -> None:
    """In the hint."""
    with pytest.raises(InputError, match="unknown family 'pear'") as caught:
        family_of(load_taxonomy(*small_taxonomy), "pear")
    assert caught.value.hint == "one of: pairs, steps"


def test_a_new_family_needs_yaml_and_a_template_only(tmp_path: Path) -> None:
    """A family of a form of its own, from YAML to records on disk, with the scripted model."""
    prompts = tmp_path / "new" / "prompts"
    (prompts / "riddles").mkdir(parents=True)
    (prompts / "riddles" / "answer.j2").write_text(
        "Name a {{ kind }} in {{ language }}.", encoding="utf-8"
    )
    (prompts / "riddles" / "riddle.j2").write_text(
        'A riddle for {{ thing }}.{{ turn("assistant") }}Well:', encoding="utf-8"
    )
    (tmp_path / "new" / "tasks.yaml").write_text(
        """
languages: {en: {name: English}}
families:
  riddles:
    version: 3
    description: A riddle finds its answer.
    symmetric: true
    in_batch: same_task
    axes: {kind: [tool, animal]}
    forms:
      two-steps:
        steps:
          answer: {template: riddles/answer.j2, reply: {thing: string}, max_tokens: 20}
          riddle: {template: riddles/riddle.j2, reply: {riddle: string, wrong: string}}
        record:
          task: "Find the {{ kind }}."
          query: "{{ riddle }}"
          positives: ["{{ thing }}"]
          negatives: ["{{ wrong }}"]
          label: "{{ kind }}"
""",
        encoding="utf-8",
    )
    config = load_config(
        environ={},
        **{
            "count": 6,
            "families": "riddles",
            "llm.backend": "scripted",
            "tasks": tmp_path / "new" / "tasks.yaml",
            "output": tmp_path / "run",
        },
    )
    summary = run(config)
    records = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in records.splitlines()]
    assert summary.kept == len(rows) == 6
    assert {row["label"] for row in rows} == {"tool", "animal"}
    assert all(row["task"] == f"Find the {row['label']}." for row in rows)
    assert all(row["symmetric"] and row["in_batch"] == "same_task" for row in rows)
    assert all(len(row["provenance"]["requests"]) == 2 for row in rows)


def test_the_small_taxonomy_of_the_tests_is_the_one_in_the_docs() -> None:
    """It holds what other tests rely on: two families, one of them brainstormed."""
    raw = yaml.safe_load(SMALL_TASKS)
    assert list(raw["families"]) == ["pairs", "steps"]
