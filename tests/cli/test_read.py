"""`trine show`, `stats`, `export` and `publish`: what a finished run holds, and where it goes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from generator.records import make_record, to_json
from tests.command import COMMAND, Trine


def test_show_prints_records(trine: Trine, finished: Path) -> None:
    """Five by default, of the family and language asked for, on stdout alone."""
    ended = trine("show", finished)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("  query: ") == 5
    ended = trine("show", finished, "--family", "steps", "--language", "ja", "-n", 100)
    assert ended.out.count("steps · ja · ") == ended.out.count("  query: ") > 0
    assert trine("show", finished, "-n", 0).out == ""
    assert trine("show", finished, "-n", -1).code == 2


def test_show_prints_json_lines(trine: Trine, finished: Path) -> None:
    """--json gives the lines of the file; a file of records can be shown too."""
    lines = (finished / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert trine("show", finished, "--json", "-n", 3).out.splitlines() == lines[:3]
    shown = trine("show", finished / "records.jsonl", "--json", "-n", 100)
    assert shown.out.splitlines() == lines


def test_show_prints_what_was_rejected(trine: Trine, small_recipe: Path) -> None:
    """With its stage and reason; --reason picks one."""
    change = "filters.length={query: {max_words: 1}}"
    folder = small_recipe.parent / "run"
    ended = trine("run", "-c", small_recipe, "--set", change)
    assert (ended.code, "no record was kept of 40 draws" in ended.err) == (1, True)
    assert f"next: trine show {folder} --rejected -n 3" in ended.err
    assert trine("show", folder) == (0, "", f"nothing was kept in {folder}\n")
    assert trine("show", folder, "--rejected").out.count("filter: query_too_long") == 5
    ended = trine("show", folder, "--reason", "query_too_short")
    assert (ended.code, ended.out) == (0, "")
    assert "reason: query_too_long (40)" in ended.err


@pytest.fixture
def varied(small_recipe: Path, trine: Trine) -> Path:
    """A run of which some records repeat others, and some are too long."""
    change = "filters.length={query: {max_words: 120}}"
    more = ["--set", "dedupe.near_threshold=0.42", "--set", "caps={family: 3}"]
    assert trine("run", "-c", small_recipe, "-q", "--set", change, *more).code == 0
    return small_recipe.parent / "run"


def test_show_says_in_words_why_and_for_whom(trine: Trine, varied: Path) -> None:
    """Of a drop: the sentence, the detail or the partner's text with its score."""
    ended = trine("show", varied, "--reason", "record_near_duplicate", "-n", 1)
    assert "dedupe: record_near_duplicate" in ended.out
    assert "An earlier record is nearly the same" in ended.out
    assert "like this one, similarity 0." in ended.out
    assert ended.out.count("  query: ") == 2
    ended = trine("show", varied, "--stage", "quota", "-n", 1)
    assert "because: family: " in ended.out


def test_show_explains_a_record_by_its_id_and_its_draw(trine: Trine, varied: Path) -> None:
    """Values of all axes, checks passed, each request with its prompt and answer."""
    line = (varied / "records.jsonl").read_text(encoding="utf-8").splitlines()[0]
    record = json.loads(line)
    ended = trine("show", varied, record["id"][:10])
    for part in ("topic: ", "passed: ", "filter length", "caps and shares (family 3)", "user: "):
        assert part in ended.out
    assert "answer: {" in ended.out
    told = json.loads(trine("show", varied, record["id"][:10], "--json").out)
    assert told["record"] == record
    explanation = told["explanation"]
    assert [e["step"] for e in explanation["exchanges"]][-1] in {"write", "question"}
    assert all(e["answer"] for e in explanation["exchanges"])
    again = json.loads(trine("show", varied, explanation["draw"], "--json").out)
    assert again == told


def test_every_rejection_can_be_explained(trine: Trine, varied: Path) -> None:
    """By its draw or its record: a sentence, what it had passed before, its requests."""
    lines = (varied / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    shown = trine("show", varied, "--rejected", "--explain", "--json", "-n", 999).out.splitlines()
    assert [json.loads(line)["rejected"] for line in shown] == [json.loads(line) for line in lines]
    for line in shown:
        told = json.loads(line)["explanation"]
        assert told["failed"].endswith(".")
        assert told["draw"]
        assert told["exchanges"]
        if json.loads(line)["rejected"]["stage"] == "dedupe":
            assert told["partner"]["id"] == json.loads(line)["rejected"]["partner"]
            assert not any("deduplication" in check for check in told["passed"])


def test_show_cuts_long_texts_and_controls_nothing(trine: Trine, tmp_path: Path) -> None:
    """A thousand characters, with the flag that shows the rest; no escape sequence gets through."""
    long = make_record(
        family="f", task="t", language="ja", query="長い" * 800, positives=("\x1b[31mred\x07",)
    )
    path = tmp_path / "long.jsonl"
    path.write_text(to_json(long) + "\n", encoding="utf-8")
    ended = trine("show", path)
    assert "長い… (1,600 characters: --full)" in ended.out
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
    assert "長い" * 800 in trine("show", path, "--full").out


def test_an_id_that_is_not_there_is_told(trine: Trine, finished: Path) -> None:
    """Exit 2."""
    ended = trine("show", finished, "nonsense")
    assert (ended.code, "no record or draw nonsense" in ended.err) == (2, True)


@pytest.mark.parametrize("by", ["family", "language", "model", "reason"])
def test_stats_breaks_down(trine: Trine, varied: Path, by: str) -> None:
    """Every family, language, model or reason of the run, on stdout."""
    stats = json.loads((varied / "stats.json").read_text())
    ended = trine("stats", varied, "--by", by)
    assert ended.code == 0
    names = {"family": "families", "language": "languages", "model": "models"}
    wanted = stats["by"][names[by]] if by in names else ["over_cap"]
    assert all(name in ended.out for name in wanted)


def test_show_into_a_pipe_that_closes_is_no_error(finished: Path) -> None:
    """`trine show … | head -1` ends with 0 and says nothing."""
    lines = (finished / "records.jsonl").read_text() * 200
    (finished / "records.jsonl").write_text(lines)
    command = subprocess.Popen(
        [*COMMAND, "show", str(finished), "-n", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.readline()
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait() == 0


def test_stats_prints_tables_or_json(trine: Trine, finished: Path) -> None:
    """Both to stdout; the JSON is the file's."""
    ended = trine("stats", finished)
    assert (ended.code, ended.err) == (0, "")
    assert "records" in ended.out
    ended = trine("stats", finished, "--json")
    assert json.loads(ended.out) == json.loads((finished / "stats.json").read_text())


def test_stats_before_the_end_says_what_to_do(trine: Trine, small_recipe: Path) -> None:
    """A run that has only been generated has none yet."""
    trine("generate", "-c", small_recipe, "-q")
    folder = small_recipe.parent / "run"
    ended = trine("stats", folder)
    assert (ended.code, "no statistics yet" in ended.err) == (2, True)


@pytest.mark.parametrize("verb", ["show", "stats", "export", "publish"])
def test_what_is_no_run_is_refused(trine: Trine, tmp_path: Path, verb: str) -> None:
    """An empty folder and a path that is not there: exit 2."""
    (tmp_path / "empty").mkdir()
    more = {"export": ["-o", "x"], "publish": ["--folder", "x"]}.get(verb, [])
    ended = trine(verb, tmp_path / "empty", *more)
    assert ended.code == 2
    assert "no run here" in ended.err
    assert trine(verb, tmp_path / "missing", *more).code == 2


@pytest.mark.parametrize(
    "name", ["trine", "sentence-transformers", "beir", "flagembedding", "tevatron"]
)
def test_export_writes_each_format(trine: Trine, finished: Path, tmp_path: Path, name: str) -> None:
    """Exit 0, the files named on stderr, from the run and from its file alike."""
    for source in (finished, finished / "records.jsonl"):
        folder = tmp_path / name / source.name
        ended = trine("export", source, "--format", name, "-o", folder)
        assert (ended.code, ended.out) == (0, "")
        assert [path for path in folder.rglob("*") if path.is_file()]
        assert str(folder) in ended.err


def test_export_needs_a_place(trine: Trine, finished: Path) -> None:
    """Without -o only a run's own data set can be made again."""
    ended = trine("export", finished, "--format", "beir")
    assert (ended.code, "no output folder" in ended.err) == (2, True)
    assert trine("export", finished / "records.jsonl").code == 2
    assert trine("export", finished, "--format", "nonsense", "-o", "x").code == 2
    assert trine("export", finished).code == 0


def test_publish_to_a_folder(trine: Trine, finished: Path, tmp_path: Path) -> None:
    """--dry-run writes nothing; without it the folder holds the card; both say what goes."""
    target = tmp_path / "hub"
    dry = trine("publish", finished, "--folder", target, "--dry-run")
    assert dry.code == 0
    assert "would go" in dry.out
    assert not target.exists()
    done = trine("publish", finished, "--folder", target)
    assert done.code == 0
    assert (target / "README.md").is_file()
    both = trine("publish", finished, "--folder", target, "--repo", "me/x")
    assert (both.code, trine("publish", finished).code) == (2, 2)
