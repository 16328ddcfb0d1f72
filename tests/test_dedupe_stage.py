"""The stage that drops duplicates: its files, thresholds changed afterwards, longer inputs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator import dedupestage
from generator.config import load_config
from generator.counts import Counts
from generator.dedupeconfig import DedupeConfig
from generator.dedupestage import dedupe_records
from generator.errors import ConfigError
from generator.progress import Silent
from generator.recordfile import read_lines
from generator.records import Record, Rejected, Score, make_record, to_json
from generator.runs import RunFolder

WORDS = "harbour river tower market bridge castle mill quarry forge chapel orchard weir".split()


def records() -> list[Record]:
    """Questions and answers of which later ones change more and more words of earlier ones."""
    found = []
    for number in range(40):
        words = [WORDS[(number * 7 + place) % 12] + str(number // 8) for place in range(30)]
        for place in range(number % 8):
            words[3 * place] = f"other{number // 8}{place}"
        found.append(
            make_record(
                family="f", task="t", language="en", query=f"Where is number {number}?",
                positives=(" ".join(words),),
            )
        )  # fmt: skip
    return [*found, found[3], *[replace(found[5], family="g")]]


def run_of(folder: Path, items: list[Record]) -> RunFolder:
    """A run whose filter stage passed these records on."""
    run = RunFolder(folder)
    run.stage("filter").parent.mkdir(parents=True, exist_ok=True)
    run.stage("filter").write_text("".join(to_json(item) + "\n" for item in items))
    return run


def dedupe(run: RunFolder, **keys: Any) -> Counts:
    """The stage with these keys."""
    return dedupe_records(run, DedupeConfig(**keys), Silent())


def files(run: RunFolder) -> dict[str, bytes]:
    """All that the stage writes."""
    paths = [*run.stage("dedupe").parent.glob("dedupe.*"), run.similar, run.clusters]
    return {path.name: path.read_bytes() for path in paths}


def kept_ids(run: RunFolder) -> list[str]:
    """What the stage passed on."""
    return [record.id for record in read_lines(Record, run.stage("dedupe"))]


def test_another_threshold_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the saved threshold on every file is that of a run with it; more is kept as it grows."""
    run = run_of(tmp_path / "run", records())
    dedupe(run)
    fresh = {value: run_of(tmp_path / f"{value}", records()) for value in (0.7, 0.85, 0.95, None)}
    for value, other in fresh.items():
        dedupe(other, near_threshold=value)
    with monkeypatch.context() as patched:
        patched.setattr(dedupestage, "compare", None)
        kept = []
        for value in (0.7, 0.85, 0.95):
            counts = dedupe(run, near_threshold=value)
            assert files(run) == files(fresh[value])
            kept.append(set(kept_ids(run)))
            assert counts.passed.total() + counts.rejected.total() == 42
        with pytest.raises(TypeError):  # below what was saved
            dedupe(run, near_threshold=0.6)
    assert kept[0] < kept[1] < kept[2]
    assert dedupe(run, near_threshold=None).rejected == {
        "f|dedupe|query_duplicate": 1,
        "g|dedupe|record_duplicate": 1,
    }
    assert kept_ids(run) == kept_ids(fresh[None])


@pytest.mark.parametrize("cut", [0, 1, 20, 41])
def test_a_longer_source_adds_to_the_files(tmp_path: Path, cut: int) -> None:
    """Every byte is that of the whole at once."""
    run, whole = run_of(tmp_path / "run", records()[:cut]), run_of(tmp_path / "whole", records())
    dedupe(run)
    run_of(tmp_path / "run", records())
    assert dedupe(run) == dedupe(whole)
    assert files(run) == files(whole)


def test_clusters_tell_who_went_for_whom(tmp_path: Path) -> None:
    """Each dropped record stands in one cluster, under a record that stays, with its score."""
    run = run_of(tmp_path, records())
    dedupe(run)
    lines = [json.loads(line) for line in run.clusters.read_text().splitlines()]
    rejected = list(read_lines(Rejected, run.stage_rejected("dedupe")))
    told = [drop for line in lines for drop in line["dropped"]]
    assert sorted((d["id"], d["for"], d["reason"], d["score"]) for d in told) == sorted(
        (item.record.id, item.partner, item.reason, item.score) for item in rejected if item.record
    )
    ids = [record.id for record in records()]
    for line in lines:
        assert line["kept"] in kept_ids(run)
        linked = {line["kept"], *(drop["id"] for drop in line["dropped"])}
        assert all(drop["for"] in linked for drop in line["dropped"])
        assert min(linked, key=ids.index) == line["kept"]
    chained = [item for item in rejected if item.detail]
    assert chained
    assert all(item.detail.removeprefix("stays: ") in kept_ids(run) for item in chained)


def test_the_best_of_a_cluster_stays(tmp_path: Path) -> None:
    """By the teacher's score, or by length; what is not scored goes first."""
    text = " ".join(WORDS)
    scores = (None, 0.3, 0.9, 0.5)
    items = []
    for number, score in enumerate(scores):
        item = make_record(
            family="f", task="t", language="en", query=f"q{number}" + "!" * (number == 1),
            positives=(text,),
        )  # fmt: skip
        by = (Score("teacher", score),) if score is not None else ()
        items.append(replace(item, positives=(replace(item.positives[0], scores=by),)))
    run = run_of(tmp_path, items)
    for keys, stays in (
        ({}, 0),
        ({"keep": "best"}, 2),
        ({"keep": "best", "best_by": "longest"}, 1),
        ({"keep": "best", "near_threshold": 0.9}, 2),
    ):
        dedupe(run, **keys)
        assert kept_ids(run) == [items[stays].id]


def test_the_best_with_a_longer_source(tmp_path: Path) -> None:
    """A later record may take an earlier one's place: nothing is taken over."""
    run, whole = run_of(tmp_path / "run", records()[:30]), run_of(tmp_path / "whole", records())
    keys = {"keep": "best", "best_by": "longest"}
    dedupe(run, **keys)
    run_of(tmp_path / "run", records())
    assert dedupe(run, **keys) == dedupe(whole, **keys)
    assert files(run) == files(whole)


def test_a_broken_file_of_what_is_similar_is_made_again(tmp_path: Path) -> None:
    """Cut, missing or of another time."""
    run = run_of(tmp_path, records())
    dedupe(run)
    before = files(run)
    for spoil in (
        lambda: run.similar.write_bytes(run.similar.read_bytes()[:100]),
        run.similar.unlink,
        run.marker("similar").unlink,
    ):
        spoil()
        run.unfinish("dedupe")
        dedupe(run)
        assert files(run) == before


def test_a_number_to_keep_needs_the_order_of_the_draws() -> None:
    """`keep` asks for the shortest prefix, and the best has none."""
    with pytest.raises(ConfigError) as caught:
        load_config(environ={}, **{"keep": 10, "dedupe.keep": "best"})
    assert "keep needs dedupe.keep first" in " ".join(caught.value.problems)
