"""Families that are written from passages: which ones, in which order, and what a template sees."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Trine

from generator import pipeline
from generator.config import load_config
from generator.errors import ConfigError, InputError
from generator.llm.scripted import ScriptedLLM
from generator.plan import Plan, make_plan
from generator.recordfile import read_lines
from generator.records import Draw, Record
from generator.summary import Summary

FACTS = [
    "A strong colony can hold up to 60,000 bees in summer, almost all of them female workers.",
    "The entrance of a hive faces south-east, so that bees begin their work early in the day.",
    "Honey is taken out in June, when two thirds of every comb have been sealed with wax.",
    "A queen lays up to two thousand eggs a day in May, more than her own weight in brood.",
]
JAPANESE = [
    "巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。",
    "採蜜は夏の初めに行い、巣板の三分の二に蓋がされていることを確かめてから始める。",
]
MakePlan = Callable[..., Plan]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents of two sections each in English, one in Japanese."""
    found = tmp_path / "documents"
    found.mkdir()
    for number in (0, 2):
        text = f"# Bees {number}\n\n{FACTS[number]}\n\n## More\n\n{FACTS[number + 1]}\n"
        (found / f"bees{number}.md").write_text(text)
    text = f"# 養蜂\n\n{JAPANESE[0]}\n\n## 採蜜\n\n{JAPANESE[1]}\n"
    (found / "ja.md").write_text(text, encoding="utf-8")
    return found


@pytest.fixture
def configured(tmp_path: Path, folder: Path) -> Callable[..., Any]:
    """A configuration over the folder, of the real taxonomy."""

    def make(*families: str, **keys: Any) -> Any:
        base = {
            "corpus.paths": str(folder), "corpus.min_tokens": 0, "corpus.per_passage": 3,
            "llm.backend": "scripted", "count": 500, "output": tmp_path / "run",
            "families": list(families) or None,
        }  # fmt: skip
        return load_config(environ={}, **{**base, **keys})

    return make


@pytest.fixture
def plan(configured: Callable[..., Any]) -> MakePlan:
    """The plan of such a configuration."""
    return lambda *families, **keys: make_plan(configured(*families, **keys))


def run(config: Any) -> tuple[Summary, ScriptedLLM, list[Record]]:
    """A run with the scripted model."""
    llm = ScriptedLLM()
    summary = pipeline.run(config, open_model=lambda: llm)
    return summary, llm, list(read_lines(Record, summary.folder / "records.jsonl"))


def test_every_passage_comes_once_before_any_comes_twice(plan: MakePlan) -> None:
    """So a short run samples the whole corpus, and a longer one begins with it."""
    made = plan("grounded-question")
    draws = list(made.draws())
    assert len(draws) == made.config.count == 6 * 3
    assert "count is lowered from 500" in " ".join(made.notes)
    assert [draw.index for draw in draws] == [0] * 6 + [1] * 6 + [2] * 6
    assert len({draw.passage for draw in draws[:6]}) == 6
    assert list(made.draws(4)) == draws[:4]
    assert Counter(draw.language for draw in draws) == {"en": 12, "ja": 6}


def test_a_draw_is_a_function_of_passage_seed_and_number(plan: MakePlan, folder: Path) -> None:
    """A document more changes no draw of the others."""
    before = {draw.id: draw for draw in plan("grounded-question", "grounded-multihop").draws()}
    (folder / "aaa.txt").write_text("Wasps build their nests of chewed wood, and bees never do so.")
    after = {draw.id: draw for draw in plan("grounded-question", "grounded-multihop").draws()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 3
    other = {draw.id: draw for draw in plan("grounded-question", seed=7).draws()}
    assert any(draw.values != before[name].values for name, draw in other.items())


def test_the_queries_of_a_passage_differ_in_kind(plan: MakePlan) -> None:
    """No kind twice for a passage before all have been used."""
    kinds: dict[str, list[str]] = {}
    for draw in plan("grounded-question", **{"corpus.per_passage": 6}).draws():
        kinds.setdefault(draw.passage, []).append(draw.values["query_type"])
    assert {len(found) for found in kinds.values()} == {6}
    assert all(len(set(found)) == 6 for found in kinds.values())
    assert len({found[0] for found in kinds.values()}) > 1


def test_each_draw_of_a_passage_is_about_another_sentence(tmp_path: Path, plan: MakePlan) -> None:
    """While there are some; sentences that point back at others come last."""
    text = " ".join([*FACTS, "It is also used by many people who live far away in the cities."])
    path = tmp_path / "one.txt"
    path.write_text(text)
    made = plan("grounded-question", **{"corpus.paths": str(path), "corpus.per_passage": 5})
    assert made.corpus is not None
    found = [made.passage_variables(draw)["focus"] for draw in made.draws()]
    assert set(found[:4]) == set(FACTS)
    assert found[4].startswith("It is also used")
    for focus, draw in zip(found, made.draws(), strict=True):
        rest = made.passage_variables(draw)["without_focus"]
        assert focus not in rest
        assert sum(fact in rest for fact in FACTS) == (3 if focus in FACTS else 4)


def test_a_passage_is_more_than_its_title(tmp_path: Path, plan: MakePlan) -> None:
    """One sentence leaves none behind it, and a list's items stand a line each."""
    items = ("- bees that keep the hive warm in winter", "- drones that fly out at noon in May")
    for name, text in (("one", FACTS[0]), ("list", f"{FACTS[1]}\n\n" + "\n".join(items))):
        (tmp_path / f"{name}.md").write_text(f"# Some title of {name}\n\n{text}\n")
    made = plan("sentence-passage", **{"corpus.paths": [str(tmp_path / "one.md")]})
    assert made.passage_variables(next(made.draws(1)))["without_focus"] == ""
    made = plan("sentence-passage", **{"corpus.paths": [str(tmp_path / "list.md")]})
    for draw in made.draws(3):
        seen = made.passage_variables(draw)
        assert seen["focus"].split()[-1] not in seen["without_focus"]


def test_a_multihop_query_has_neighbours_of_one_document(plan: MakePlan) -> None:
    """Both passages are there, and both are positives."""
    made = plan("grounded-multihop")
    assert made.corpus is not None
    for draw in made.draws():
        first, second = (
            made.corpus.passages[made.corpus.passages.find(one)] for one in draw.passage.split("+")
        )
        assert first.source == second.source
        assert first.id != second.id
        seen = made.passage_variables(draw)
        assert (seen["passage"], seen["second_passage"]) == (first.text, second.text)


def test_a_cross_lingual_query_is_in_another_language(plan: MakePlan) -> None:
    """Of those that the run asks for; the passage's own comes second."""
    draws = list(plan("grounded-cross-lingual", languages=["en", "ja", "de"]).draws())
    pairs = {draw.language for draw in draws}
    assert pairs <= {"ja-en", "de-en", "en-ja", "de-ja"}
    assert len(pairs) > 2
    assert {d.language for d in plan("grounded-cross-lingual", languages=["en", "ja"]).draws()} == {
        "ja-en", "en-ja",
    }  # fmt: skip
    with pytest.raises(ConfigError) as error:
        plan("grounded-cross-lingual", languages=["en"], **{"corpus.languages": "en"})
    assert "no family is left" in error.value.message


def test_the_embedded_model_is_asked_for_its_language_alone(plan: MakePlan) -> None:
    """Passages in others get the families that ask no model, and the user is told."""
    keys = {"llm.backend": "transformers", "llm.model": "smollm2-135m-instruct"}
    made = plan("grounded-question", "heading-section", **keys)
    assert {(d.family, d.language) for d in made.draws()} == {
        ("grounded-question", "en"), ("heading-section", "en"), ("heading-section", "ja"),
    }  # fmt: skip
    assert any("6 draws" in note and "-m MODEL" in note for note in made.notes)
    made = plan("grounded-question", "heading-section", **keys, **{"corpus.languages": "ja"})
    assert {draw.family for draw in made.draws()} == {"heading-section"}
    assert any("grounded-question is left out" in note for note in made.notes)


def test_headings_and_titles_need_no_model(configured: Callable[..., Any]) -> None:
    """Title → passage, heading → section, sentence → passage: no request, in any language."""
    config = configured("title-passage", "heading-section", "sentence-passage")
    _, llm, records = run(config)
    assert llm.asked == []
    found = {(record.family, record.query): record.positives[0].text for record in records}
    assert found["title-passage", "養蜂"] == JAPANESE[0]
    assert found["heading-section", "Bees 0: More"] == FACTS[1]
    assert {record.language for record in records} == {"en", "ja"}
    for record in records:
        assert record.query not in record.positives[0].text
        assert record.provenance.passage


def test_records_hold_the_passage_with_its_titles(configured: Callable[..., Any]) -> None:
    """Several queries of a passage stay; duplicates are judged by the query alone."""
    config = configured("grounded-question", filters={"off_passage": False})
    _, llm, records = run(config)
    assert len(llm.asked) == 18
    assert {record.positives[0].text for record in records} >= {f"Bees 0 > More {FACTS[1]}"}
    assert max(Counter(record.provenance.passage for record in records).values()) > 1


def test_all_records_of_a_passage_are_on_one_side(
    configured: Callable[..., Any], folder: Path
) -> None:
    """A question that is held out was never trained on with its passage under another title."""
    for name in ("june", "august"):
        seasons = [f"In {name} it is known by everybody here that {fact}" for fact in FACTS]
        (folder / f"{name}.md").write_text(f"# {name}\n\n{' '.join(seasons)}\n")
    config = configured(
        "grounded-question", "heading-section", "sentence-passage",
        **{"filters": {"off_passage": False}, "dataset.test_fraction": 0.4},
    )  # fmt: skip
    summary, _, records = run(config)
    sides = {
        side: {r.provenance.passage for r in read_lines(Record, summary.folder / "dataset" / side)}
        for side in ("train.jsonl", "test.jsonl")
    }
    assert sides["test.jsonl"]
    assert not sides["train.jsonl"] & sides["test.jsonl"]
    assert len(records) > 20


def test_a_document_added_later_is_asked_for_alone(
    configured: Callable[..., Any], folder: Path
) -> None:
    """The same command again asks for the new passage's queries and no other."""
    config = configured("grounded-question", "grounded-intents")
    _, first, before = run(config)
    (folder / "aaa.md").write_text("# Wasps\n\nWasps build nests of chewed wood near warm roofs.\n")
    _, second, after = run(config)
    assert first.asked
    assert 0 < len(second.asked) < len(first.asked)
    (passage,) = {prompt.draw.split("#")[1].lstrip("b").split(".")[0] for prompt in second.asked}
    assert {r.id for r in before} <= {r.id for r in after}
    assert passage not in {record.provenance.passage for record in before}


def test_examples_of_the_user_are_turns(plan: MakePlan, tmp_path: Path) -> None:
    """Promptagator: each pair is a turn of the user and one of the model."""
    path = tmp_path / "examples.jsonl"
    pairs = [{"query": f"q{i}?", "passage": f"p{i}"} for i in range(8)]
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    made = plan("grounded-examples", **{"corpus.examples": str(path)})
    prompt = _first_prompt(made, next(iter(made.draws())))
    assert [m.role for m in prompt.messages] == ["user", "assistant"] * 8 + ["user"]
    assert [json.loads(m.content)["query"] for m in prompt.messages[1:16:2]] == [
        pair["query"] for pair in pairs
    ]


def _first_prompt(made: Plan, draw: Draw) -> Any:
    from generator import writing  # noqa: PLC0415

    return next(writing.example_steps(made, draw, None))


def test_examples_that_are_none(plan: MakePlan, tmp_path: Path) -> None:
    """Every bad line at once; without a file the family says what it needs."""
    path = tmp_path / "examples.jsonl"
    path.write_text('{"query": "q"}\n\n{"passage": "p"}\n')
    with pytest.raises(InputError) as error:
        plan("grounded-examples", **{"corpus.examples": str(path)})
    assert len(error.value.problems) == 2
    with pytest.raises(ConfigError) as unnamed:
        plan("grounded-examples")
    assert any("corpus.examples=FILE" in problem for problem in unnamed.value.problems)


def test_a_grounded_family_without_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """`trine plan` and `trine prompt` say what to type."""
    trine = Trine(capsys)
    for verb in (("plan", "--set", "families=[grounded-question]"), ("prompt", "grounded-task")):
        ended = trine(*verb)
        assert ended.code == 2
        assert "--set corpus=FOLDER" in ended.err


def test_a_prompt_of_a_passage(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    """`trine prompt FAMILY --index N` shows the N-th draw's; past the end there is a hint."""
    trine = Trine(capsys)
    common = ("--set", f"corpus={folder}", "--set", "corpus.min_tokens=0", "--set",
              "llm.backend=scripted", "--set", f"output={tmp_path / 'run'}")  # fmt: skip
    shown = [trine("prompt", "grounded-question", "--index", i, *common).out for i in range(6)]
    texts = [*FACTS, *JAPANESE]
    assert sorted(next(t for t in texts if t in out) for out in shown) == sorted(texts)
    ended = trine("prompt", "grounded-question", "--index", 6, *common)
    assert (ended.code, "6 draws" in ended.err) == (2, True)


def test_the_verb_corpus_shows_what_documents_give(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Counts, languages, what is left out; the folder of the documents stays as it was."""
    (folder / "bad.pdf").write_bytes(b"%PDF-1.5 no")
    before = sorted(folder.iterdir())
    ended = Trine(capsys)("corpus", folder, "--set", "corpus.min_tokens=0", "--json")
    assert ended.code == 0
    facts = json.loads(ended.out)
    assert (facts["documents"], facts["passages"]) == (3, 6)
    assert facts["languages"] == {"en": 4, "ja": 2}
    assert facts["skipped"] == {"broken": 1}
    assert sorted(folder.iterdir()) == before
    assert "trine corpus FOLDER" in Trine(capsys)("corpus").err


def test_a_japanese_sentence_that_points_back_comes_last(tmp_path: Path, plan: MakePlan) -> None:
    """Script without spaces: その, それ, これ are found at the beginning of a word."""
    path = tmp_path / "one.txt"
    path.write_text(f"その場合は蜂が冬を越せないので、すぐに手当てをする。{''.join(JAPANESE)}")
    made = plan("sentence-passage", **{"corpus.paths": str(path)})
    found = [made.passage_variables(draw)["focus"] for draw in made.draws()]
    assert set(found[:2]) == set(JAPANESE)
    assert found[2].startswith("その場合")


def test_a_sentence_that_leads_to_what_follows_comes_last(tmp_path: Path, plan: MakePlan) -> None:
    """A colon at its end leans on the next one; the mark of a list item is none of its words."""
    path = tmp_path / "d.md"
    path.write_text(
        "# Hives\n\nOpen the hive in the early evening by doing what is written here:\n\n"
        "- Blow some smoke into the entrance of the hive, and wait for a minute.\n",
        encoding="utf-8",
    )
    made = plan("sentence-passage", **{"corpus.paths": str(path), "corpus.min_tokens": 1})
    found = [made.passage_variables(draw)["focus"] for draw in made.draws()]
    assert found[0] == "Blow some smoke into the entrance of the hive, and wait for a minute."
    assert found[1].endswith("here:")
