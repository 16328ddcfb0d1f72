"""`trine show`, `stats`, `export` and `publish`: what a finished run holds, and where it goes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

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
    assert trine("run", "-c", small_recipe, "-q", "--set", change).code == 0
    folder = small_recipe.parent / "run"
    assert trine("show", folder).out == ""
    assert trine("show", folder, "--rejected").out.count("filter: query_too_long") == 5
    assert trine("show", folder, "--reason", "query_too_short").out == ""


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
