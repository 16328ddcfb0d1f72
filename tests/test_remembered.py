"""Vectors by text on disk: the same, and none encoded twice, a kill between or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from generator.encoders.remembered import RememberedEncoder
from tests.cli.test_refining import Words


def test_a_text_is_encoded_once_for_each_side_and_instruction(tmp_path: Path) -> None:
    """In any order, twice in one call too, and by another process."""
    words = Words()
    texts = ["a b", "c", "a b", "d e f"]
    for _ in range(2):
        encoder = RememberedEncoder(words, tmp_path)
        found = encoder.encode(texts, kind="document")
        assert np.array_equal(found, Words().encode(texts, kind="document"))
        assert np.array_equal(encoder.encode(["c"], kind="document"), found[1:2])
    assert words.encoded == 3
    for task in (None, "", "find"):
        encoder.encode(["c"], kind="query", task=task)
    assert words.encoded == 6
    assert encoder.encode([], kind="query").shape == (0, 256)


def test_a_torn_end_is_written_over(tmp_path: Path) -> None:
    """Rows without a text, and half a text's mark, are as good as none."""
    words = Words()
    RememberedEncoder(words, tmp_path).encode(["a", "b"], kind="document")
    with (tmp_path / "vectors.bin").open("ab") as file:
        file.write(b"\1" * 1500)
    with (tmp_path / "texts.bin").open("ab") as file:
        file.write(b"\1" * 7)
    again = RememberedEncoder(words, tmp_path)
    found = again.encode(["c", "a"], kind="document")
    assert np.array_equal(found, Words().encode(["c", "a"], kind="document"))
    assert words.encoded == 3
    assert np.array_equal(RememberedEncoder(words, tmp_path).encode(["c"], kind="document"),
                          found[:1])  # fmt: skip
