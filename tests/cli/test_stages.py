"""`trine generate`, `filter` and `dedupe`: one stage at a time, on a run or on a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.records import make_record, to_json
from tests.command import Trine


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's file: a record, the same again, one with an empty query, and a line that is none."""
    good = make_record(
        family="pairs", task="Find it.", language="en", query="what does a river carry",
        positives=("A river carries sand and stones to the sea.",),
    )  # fmt: skip
    empty = make_record(
        family="own", task="Find it.", language="en", query=" ", positives=("Something else.",)
    )
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([to_json(good), to_json(good), to_json(empty)]) + "\n")
    return path


def rows(path: Path) -> list[dict[str, object]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_generate_writes_the_first_stage_alone(trine: Trine, small_recipe: Path) -> None:
    """Exit 0, counts on stderr, no filter, no data set; again it asks for nothing."""
    folder = small_recipe.parent / "run"
    ended = trine("generate", "-c", small_recipe, "-n", 12)
    assert (ended.code, ended.out) == (0, "")
    assert f"12 records, 0 rejected in {folder}" in ended.err
    assert len(rows(folder / "stages" / "generate.jsonl")) == 12
    assert not (folder / "records.jsonl").exists()
    assert trine("generate", "-c", small_recipe, "-n", 12, "-q").code == 0


def test_stages_follow_each_other(trine: Trine, small_recipe: Path) -> None:
    """generate, filter, dedupe, export: each says what it kept; the wrong order is exit 2."""
    folder = small_recipe.parent / "run"
    assert trine("generate", "-c", small_recipe, "-q").code == 0
    early = trine("mine", folder)
    assert early.code == 2
    assert f"hint: trine dedupe {folder}" in early.err
    changed = "filters.length={query: {max_words: 1}}"
    for arguments, kept in ((["filter", folder, "--set", changed], 0), (["filter", folder], 40)):
        ended = trine(*arguments)
        assert (ended.code, ended.out) == (0, "")
        assert f"{kept} kept, {40 - kept} rejected in {folder}" in ended.err
    assert "40 kept, 0 rejected" in trine("dedupe", folder).err
    assert trine("export", folder).code == 0
    assert json.loads((folder / "stats.json").read_text())["records"] == 40


def test_a_users_file_is_filtered(trine: Trine, mine: Path, tmp_path: Path) -> None:
    """Kept and rejected are written side by side; a line that is no record is one of them."""
    mine.write_text(mine.read_text() + "not a record\n")
    ended = trine("filter", mine, "-o", tmp_path / "out")
    assert ended.code == 0
    assert "2 kept, 2 rejected" in ended.err
    reasons = [row["reason"] for row in rows(tmp_path / "out" / "rejected.jsonl")]
    assert reasons == ["query_empty", "not_a_record"]


@pytest.mark.parametrize("verb", ["filter", "dedupe", "contamination"])
def test_a_file_of_pairs_is_no_file_of_records(trine: Trine, tmp_path: Path, verb: str) -> None:
    """It is told, with the verb that makes records of it; "0 of 0 match" would be praise."""
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out"
    pairs.write_text('{"query": "what is a bee", "positive": "An insect."}\n' * 2)
    against = ("--against", pairs) if verb == "contamination" else ()
    ended = trine(verb, pairs, *against, "-o", out)
    assert ended.code == 2
    assert "record" in ended.err.splitlines()[-2]
    assert "trine import makes records of your own pairs" in ended.err
    assert not list(out.glob("*.jsonl"))


def test_a_users_file_is_deduplicated(trine: Trine, mine: Path, tmp_path: Path) -> None:
    """The second of two equal records goes, with the first as its partner."""
    ended = trine("dedupe", mine, "-o", tmp_path / "out")
    assert ended.code == 0
    kept, rejected = (rows(tmp_path / "out" / f"{name}.jsonl") for name in ("records", "rejected"))
    assert [len(kept), len(rejected)] == [2, 1]
    assert (rejected[0]["reason"], rejected[0]["partner"]) == ("query_duplicate", kept[0]["id"])


@pytest.mark.parametrize("verb", ["filter", "dedupe"])
def test_a_file_needs_a_place_for_the_result(trine: Trine, mine: Path, verb: str) -> None:
    """Without -o: exit 2 with the command to type; an output that is a file: exit 2."""
    ended = trine(verb, mine)
    assert ended.code == 2
    assert f"hint: trine {verb} {mine} -o FOLDER" in ended.err
    ended = trine(verb, mine, "-o", mine)
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert trine(verb, mine.parent / "missing.jsonl", "-o", "out").code == 2


@pytest.mark.parametrize("verb", ["filter", "dedupe"])
def test_a_folder_that_is_no_run_is_refused(trine: Trine, tmp_path: Path, verb: str) -> None:
    """Exit 2, and nothing is made in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    ended = trine(verb, folder)
    assert ended.code == 2
    assert "no run here" in ended.err
    assert list(folder.iterdir()) == []


def test_dedupe_refuses_a_line_that_is_no_record(trine: Trine, mine: Path, tmp_path: Path) -> None:
    """It is named with its place, as exit 2, and no half of a result is left."""
    mine.write_text(mine.read_text() + '{"id": 1}\n')
    ended = trine("dedupe", mine, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "item 4 is not a record" in ended.err
    assert not (tmp_path / "out" / "records.jsonl").exists()


def test_show_tells_what_a_dropped_record_resembles(
    trine: Trine, mine: Path, tmp_path: Path
) -> None:
    """The partner's texts stand under it, whether it stayed or not."""
    first, again, _ = mine.read_text().splitlines()
    text = "A river carries sand and stones down to the sea."
    near = make_record(
        family="pairs", task="Find it.", language="en", query="what do rivers carry then",
        positives=(text,),
    )  # fmt: skip
    mine.write_text("\n".join([first, again, to_json(near)]) + "\n")
    near_threshold = ("--set", "dedupe.near_threshold=0.5")
    assert trine("dedupe", mine, "-o", tmp_path / "out", *near_threshold).code == 0
    ended = trine("show", tmp_path / "out" / "rejected.jsonl", "--rejected")
    assert "dedupe: query_duplicate" in ended.out
    assert "like this one, similarity 1.000" in ended.out
    shown = ended.out[ended.out.index("record_near_duplicate") :]
    assert shown.index(text) < shown.index("like") < shown.index("stones to the sea")
    clusters = rows(tmp_path / "out" / "clusters.jsonl")
    assert [len(cluster["dropped"]) for cluster in clusters] == [2]  # type: ignore[arg-type]


def test_a_stage_of_a_run_says_what_is_of_before(trine: Trine, finished: Path) -> None:
    """Filter leads to deduplication, that to the data set; statistics say so meanwhile."""
    assert "note: records changed" not in trine("stats", finished).err
    assert trine("dedupe", finished).code == 0  # writes the same records again
    assert "note: records changed" not in trine("stats", finished).err
    change = "filters.length={query: {max_words: 12}}"
    assert f"next: trine dedupe {finished}" in trine("filter", finished, "--set", change).err
    assert f"next: trine export {finished}" in trine("dedupe", finished).err
    assert f"note: records changed since; trine export {finished}" in trine("stats", finished).err
    assert trine("export", finished).code == 0
    assert "note: records changed" not in trine("stats", finished).err
