"""A corpus → the passages of a run's folder: ids, languages, duplicates, documents added later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.corpus.build import Ingested, open_passages
from generator.corpus.store import OPENS_DOCUMENT, OPENS_SECTION, PassageFile
from generator.corpusconfig import CorpusConfig
from generator.errors import InputError
from generator.runs import RunFolder

ENGLISH = [
    "A strong colony can hold up to 60,000 bees in summer, almost all of them female workers.",
    "The entrance of a hive faces south-east, so that bees begin their work early in the day.",
    "Honey is taken out at the beginning of summer, when two thirds of each comb have been sealed.",
]
JAPANESE = "巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。"
Build = Callable[..., tuple[PassageFile, Ingested]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two documents."""
    found = tmp_path / "documents"
    found.mkdir()
    (found / "bees.md").write_text(f"# Bees\n\n{ENGLISH[0]}\n\n## Hives\n\n{ENGLISH[1]}\n")
    (found / "houses.md").write_text(f"# 養蜂\n\n{JAPANESE}\n", encoding="utf-8")
    return found


@pytest.fixture
def build(tmp_path: Path, folder: Path) -> Build:
    """Read the folder into a run, with keys of `corpus` changed."""

    def make(**keys: object) -> tuple[PassageFile, Ingested]:
        config = CorpusConfig(**{"paths": str(folder), "min_tokens": 0, **keys})  # type: ignore[arg-type]
        return open_passages(config, RunFolder(tmp_path / "run"))

    return make


def skipped(folder: Path) -> list[tuple[str, str]]:
    """Source and reason of what was left out."""
    lines = (folder.parent / "run" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["source"], row["reason"]) for row in map(json.loads, lines)]


def test_a_passage_has_text_path_language_and_source(build: Build) -> None:
    """And reads as BEIR has it: the title path before the text."""
    passages, found = build()
    assert [(p.path, p.language, p.source) for p in passages] == [
        (("Bees",), "en", "bees.md"),
        (("Bees", "Hives"), "en", "bees.md"),
        (("養蜂",), "ja", "houses.md"),
    ]
    assert passages[1].full == f"Bees > Hives {ENGLISH[1]}"
    assert (found.documents, found.passages) == (2, 3)
    assert found.languages == {"en": 2, "ja": 1}
    opens = passages.places["opens"].tolist()
    assert opens == [OPENS_SECTION | OPENS_DOCUMENT, OPENS_SECTION, OPENS_SECTION | OPENS_DOCUMENT]


def test_the_file_is_a_beir_corpus(build: Build) -> None:
    """`_id`, `title` and `text`, a passage a line."""
    passages, _ = build(titles=False)
    rows = [json.loads(line) for line in passages.file.read_text(encoding="utf-8").splitlines()]
    assert [row["_id"] for row in rows] == [passage.id for passage in passages]
    assert {row["title"] for row in rows} == {""}
    assert [row["text"] for row in rows] == [ENGLISH[0], ENGLISH[1], JAPANESE]


def test_an_id_is_the_content_and_its_titles(build: Build, folder: Path) -> None:
    """Another file name or place changes none; another word or title does."""
    before = {p.text: p.id for p in build()[0]}
    (folder / "bees.md").rename(folder / "z.md")
    text = (folder / "z.md").read_text().replace("## Hives", "## Homes")
    (folder / "z.md").write_text(text)
    after = {p.text: p.id for p in build()[0]}
    assert before.keys() == after.keys()
    assert {text for text in before if before[text] == after[text]} == {ENGLISH[0], JAPANESE}


def test_a_passage_is_found_by_its_id(build: Build) -> None:
    """Whatever its place; an id that is none raises KeyError."""
    passages, _ = build()
    assert [passages.find(passage.id) for passage in passages] == [0, 1, 2]
    with pytest.raises(KeyError):
        passages.find("0" * 32)


def test_a_document_more_changes_no_other(build: Build, folder: Path) -> None:
    """What was there keeps its id and stands first, wherever the new one sorts."""
    before = list(build()[0])
    (folder / "aaa.txt").write_text(ENGLISH[2])
    after = list(build()[0])
    assert after[:3] == before
    assert [p.source for p in after[3:]] == ["aaa.txt"]


def test_a_document_less_takes_its_passages_away(build: Build, folder: Path) -> None:
    """The others stay as they were."""
    before = list(build()[0])
    (folder / "bees.md").unlink()
    assert list(build()[0]) == before[2:]


def test_a_corpus_that_has_not_changed_is_not_read_again(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passages come from the run's folder; how many queries are asked for is no change."""
    before = list(build()[0])
    monkeypatch.setattr("generator.corpus.build._build", None)
    assert list(build(per_passage=9)[0]) == before


def test_duplicates_are_dropped_and_told(build: Build, folder: Path) -> None:
    """The same text under another title, and one with a word changed: the first stays."""
    (folder / "c.md").write_text(f"# Other\n\n{ENGLISH[0].upper()}\n")
    (folder / "d.md").write_text(f"# More\n\n{ENGLISH[1].replace('early', 'soon')}\n")
    passages, found = build()
    assert found.passages == len(passages) == 3
    assert skipped(folder) == [("c.md", "duplicate"), ("d.md", "near_duplicate")]
    assert build(near_threshold=None)[1].passages == 4


def test_short_passages_and_other_languages_are_left_out(build: Build, folder: Path) -> None:
    """A page number is no passage; `languages` says which ones are used."""
    (folder / "c.md").write_text("# Page\n\n17 | 18 | 19\n")
    passages, found = build(languages="ja")
    assert [p.text for p in passages] == [JAPANESE]
    assert found.skipped == {"too_short": 1, "other_language": 2}


def test_a_short_passage_has_the_language_of_its_document(build: Build, folder: Path) -> None:
    """Code and short notes say nothing of theirs."""
    (folder / "houses.md").write_text(
        f"# 養蜂\n\n{JAPANESE}\n\n## 例\n\n```python\nfor hive in hives: print(hive.weight)\n```\n"
    )
    assert [p.language for p in build()[0]] == ["en", "en", "ja", "ja"]


def test_a_document_that_breaks_keeps_what_came_before(build: Build, folder: Path) -> None:
    """A text whose encoding breaks half-way is told; its beginning is used."""
    bad = ("\n\n".join([ENGLISH[2], "x " * 200_000])).encode() + b"\xff\xfe\xfa"
    (folder / "bad.txt").write_bytes(bad)
    passages, found = build()
    assert ENGLISH[2] in {p.text for p in passages}
    assert found.skipped["bad_encoding"] == 1


def test_a_page_nested_too_deeply_stops_nothing(build: Build, folder: Path) -> None:
    """Ten thousand boxes in each other."""
    (folder / "deep.html").write_text("<div>" * 10_000 + ENGLISH[2])
    passages, _ = build()
    assert len(passages) >= 3
    assert {p.source for p in passages} >= {"bees.md", "houses.md"}


def test_nothing_found_is_an_error_with_reasons(build: Build, folder: Path) -> None:
    """Each file and why it gave nothing."""
    for path in folder.iterdir():
        path.write_bytes(b"\x00\x00")
    with pytest.raises(InputError, match="no passage") as error:
        build()
    assert error.value.problems == (
        "bees.md: binary: holds zero bytes", "houses.md: binary: holds zero bytes",
    )  # fmt: skip
    assert "docs/corpus.md" in error.value.hint


def test_a_killed_reading_begins_anew(
    build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker goes before the files change and comes last."""
    before = list(build()[0])
    (folder / "aaa.txt").write_text(ENGLISH[2])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("generator.corpus.build._write_index", killed)
        with pytest.raises(KeyboardInterrupt):
            build()
    assert list(build()[0])[:3] == before
    assert len(build()[0]) == 4
