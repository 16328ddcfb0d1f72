"""Rows, store, order, packing: what goes into a batch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer_worlds import make_folder, write_pairs

from generator.errors import ConfigError
from generator.records import Rejected, make_record, to_json
from generator.trainer.config import TokenConfig, TrainConfig
from generator.trainer.distributed import World
from generator.trainer.order import plan_epoch
from generator.trainer.packing import Texts, cut, pack
from generator.trainer.rows import TrainRow, read_rows
from generator.trainer.store import Store, batch_of, build_store
from generator.trainer.tokens import Tokens, query_text, tokens_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The word tokenizer of the tiny base."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    return AutoTokenizer.from_pretrained(make_folder(tmp_path_factory.mktemp("base")))


def _store(tokenizer: Any, tmp_path: Path, *paths: Path) -> Store:
    config = TokenConfig(max_tokens=16)
    tokens = tokens_of(tokenizer, config)
    return build_store(paths, tokens, config, tmp_path / "cache", tmp_path / "rejected.jsonl")


def _rows(tmp_path: Path, *values: Any) -> list[TrainRow | Rejected]:
    file = tmp_path / "data.jsonl"
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
    return list(read_rows(file))


def test_rows_come_in_every_shape_of_the_field(tmp_path: Path) -> None:
    found = _rows(
        tmp_path,
        {"query": "q", "positive": "p"},
        {"anchor": "q", "positive": "p", "negative_1": "a", "negative_2": "b"},
        {"query": "q", "pos": ["p", "r"], "neg": ["a"], "prompt": "find", "pos_scores": [1, 2],
         "neg_scores": [0.5]},
        {"sentence1": "q", "sentence2": "p"},
    )  # fmt: skip
    assert found == [
        TrainRow("q", ("p",), group="data/"),
        TrainRow("q", ("p",), ("a", "b"), group="data/"),
        TrainRow("q", ("p", "r"), ("a",), "find", "data/", positive_scores=(1.0, 2.0),
                 negative_scores=(0.5,)),
        TrainRow("q", ("p",), group="data/"),
    ]  # fmt: skip


def test_a_record_is_a_row(tmp_path: Path) -> None:
    record = make_record(
        family="sts", task="find", language="en", query="q", positives=("p",), negatives=("n",),
        symmetric=True, in_batch="same_task",
    )  # fmt: skip
    (tmp_path / "records.jsonl").write_text(to_json(record) + "\n")
    (row,) = read_rows(tmp_path)
    assert isinstance(row, TrainRow)
    assert (row.task, row.symmetric, row.in_batch) == ("find", True, "same_task")
    assert row.group.endswith("/sts")


def test_of_a_run_the_questions_that_it_tests_on_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    for name, query in (("records", "all"), ("dataset/test", "held out"), ("dataset/train", "q")):
        row = {"query": query, "positive": "p"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    (row,) = read_rows(tmp_path)
    assert isinstance(row, TrainRow)
    assert row.query == "q"


def test_a_score_that_is_no_number_is_none(tmp_path: Path) -> None:
    """JSON of Python may hold NaN and infinity; null says the same. The row is still good."""
    for value in (float("nan"), float("inf"), None):
        (row,) = _rows(tmp_path, {"query": "q", "pos": ["p"], "neg": ["a", "b"],
                                  "pos_scores": [2], "neg_scores": [value, 1]})  # fmt: skip
        assert isinstance(row, TrainRow)
        assert row.positive_scores == (2.0,)
        assert np.array_equal(row.negative_scores, [np.nan, 1.0], equal_nan=True)


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    rows = [{"query": "q", "positives": ["p"], "negatives": ["n"]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    assert list(read_rows(tmp_path / "data.parquet")) == _rows(tmp_path, *rows)


@pytest.mark.parametrize("value", [[], 3, "x", None, {"query": 1, "positive": "p"}, {"pos": [{}]}])
def test_what_is_no_row_is_rejected(tmp_path: Path, value: Any) -> None:
    (found,) = _rows(tmp_path, value)
    assert isinstance(found, Rejected)


def test_ids_are_framed_and_cut_whatever_the_tokenizer_says(tokenizer: Any) -> None:
    tokens = tokens_of(tokenizer, TokenConfig(max_tokens=5, bos="<s>", eos="auto"))
    long, empty = tokens.encode(["w1 w2 w3 w4 w5 w6", ""])
    assert long.tolist()[0] == 1
    assert long.tolist()[-1] == 2
    assert len(long) == 5
    assert empty.tolist() == [1, 2]
    with pytest.raises(ConfigError, match="nothere"):
        tokens_of(tokenizer, TokenConfig(eos="nothere"))


def test_braces_of_a_query_stay() -> None:
    template = "Instruct: {task}\nQuery: {query}"
    assert query_text(template, "find {x}", "{0}") == "Instruct: find {x}\nQuery: {0}"
    assert query_text(template, "", "q") == "q"


def test_the_instruction_goes_on_the_query_and_on_both_sides_of_a_symmetric_row(
    tokenizer: Any, tmp_path: Path
) -> None:
    rows = [{"query": "w1", "positive": "w2", "task": "find", "symmetric": flag}
            for flag in (False, True)]  # fmt: skip
    _rows(tmp_path, *rows)
    store = _store(tokenizer, tmp_path, tmp_path / "data.jsonl")
    batch = batch_of(store, np.array([0, 1]), np.array([0, 0]))
    plain, framed = (len(batch.texts.ids[i]) for i in batch.positive)
    assert plain < framed
    # The same text, however it is framed: neither may be the other's negative.
    assert batch.identity[batch.positive[0]] == batch.identity[batch.positive[1]]


def test_a_store_is_made_once_for_the_same_input(tokenizer: Any, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs.jsonl", 10)
    first = _store(tokenizer, tmp_path, data)
    (place,) = (tmp_path / "cache").iterdir()
    stamp = place.stat().st_mtime_ns
    assert len(_store(tokenizer, tmp_path, data)) == len(first) == 10
    assert place.stat().st_mtime_ns == stamp
    write_pairs(data, 11)
    assert len(_store(tokenizer, tmp_path, data)) == 11


def _config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({"base": "x", "batch_size": 8, **changes})


def test_an_epoch_holds_every_row_once_without_copies_in_a_batch(
    tokenizer: Any, tmp_path: Path
) -> None:
    rows = [{"query": f"w{i}", "positive": f"w{50 + i // 4}"} for i in range(40)]
    _rows(tmp_path, *rows)
    store = _store(tokenizer, tmp_path, tmp_path / "data.jsonl")
    plan = plan_epoch(store, _config(), 0, np.arange(40))
    count = Counter(int(row) for batch in plan.batches for row in batch)
    assert max(count.values()) == 1
    assert sum(count.values()) + plan.skipped == 40
    for batch in plan.batches:
        positives = [rows[i]["positive"] for i in batch]
        assert len(set(positives)) == len(positives)
    again = plan_epoch(store, _config(), 0, np.arange(40))
    assert all(np.array_equal(a, b) for a, b in zip(plan.batches, again.batches, strict=True))
    other = plan_epoch(store, _config(), 1, np.arange(40))
    assert not all(np.array_equal(a, b) for a, b in zip(plan.batches, other.batches, strict=False))


def test_homogeneous_batches_hold_one_group(tokenizer: Any, tmp_path: Path) -> None:
    rows = [{"query": f"w{i}", "positive": f"w{40 + i}", "family": f"f{i % 3}"} for i in range(40)]
    _rows(tmp_path, *rows)
    store = _store(tokenizer, tmp_path, tmp_path / "data.jsonl")
    plan = plan_epoch(store, _config(batching="homogeneous", batch_size=4), 0, np.arange(40))
    groups = [{rows[i]["family"] for i in batch} for batch in plan.batches]
    assert all(len(group) == 1 for group in groups)
    assert groups != sorted(groups, key=str)


def test_sources_are_mixed_by_ratio(tokenizer: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_pairs(one, 30)
    two.write_text("".join(json.dumps({"query": f"w{i} w1", "positive": f"w{i} w2"}) + "\n"
                           for i in range(10)))  # fmt: skip
    store = _store(tokenizer, tmp_path, one, two)
    config = _config(ratios={"one": 1, "two": 1}, batch_size=4)
    seen = [Counter[str](), Counter[str]()]
    for epoch in range(2):
        for batch in plan_epoch(store, config, epoch, np.arange(40)).batches:
            seen[epoch].update(store.sources[s] for s in store.arrays["source"][batch])
    assert abs(seen[0]["one"] - seen[0]["two"]) <= 4
    with pytest.raises(ConfigError, match="three"):
        plan_epoch(store, _config(ratios={"three": 1}), 0, np.arange(40))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 3000))
@settings(max_examples=60)
def test_chunks_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    sizes = np.asarray(lengths)
    chunks = cut(sizes, budget)
    assert sorted(np.concatenate(chunks).tolist()) == list(range(len(sizes)))
    assert all(sizes[chunk].sum() <= budget or len(chunk) == 1 for chunk in chunks)
    ordered = sizes[np.concatenate(chunks)]
    assert (np.diff(ordered) <= 0).all()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 4))
@settings(max_examples=60)
def test_every_text_is_dealt_to_one_process(lengths: list[int], size: int) -> None:
    dealt = World(0, size).deal(np.asarray(lengths))
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(lengths)))


def test_a_stream_has_no_padding() -> None:
    texts = [np.arange(n, dtype=np.int32) for n in (3, 1, 2)]
    packed = pack(Texts.plain(texts), np.array([0, 2]), CPU)
    assert packed.ids.tolist() == [0, 1, 2, 0, 1]
    assert packed.positions.tolist() == [0, 1, 2, 0, 1]
    assert packed.starts.tolist() == [0, 3, 5]
    assert packed.ends.tolist() == [2, 4]


def test_an_empty_text_has_a_token(tokenizer: Any) -> None:
    bare = Tokens(tokenizer, None, None, 8)
    assert bare.encode([]) == []
    assert [len(ids) for ids in bare.encode(["", "w1 w2"])] == [1, 2]
