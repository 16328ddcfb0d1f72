"""Quotation marks in tables: one that is never closed loses no row, sound ones span lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.corpus.blocks import Skipped
from generator.corpus.rows import Fields, from_table
from generator.errors import BadDocument, InputError
from generator.imports.convert import ImportOptions, import_records
from generator.records import Record, Rejected
from generator.tablefile import table_rows

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp932"]
OPEN = """質問,回答
橋とは,川を渡る建物
駅とは,"電車の止まる所
蜂とは,蜜を集める虫
紙とは,"木で作る, 物"
"""


def imported(path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Queries with their positives, and reasons with the places that they are told of."""
    found = list(import_records(str(path), ImportOptions()))
    records = [(r.query, r.positives[0].text) for r in found if isinstance(r, Record)]
    return records, [
        (r.reason, r.detail.split(" ")[0].rstrip(":")) for r in found if isinstance(r, Rejected)
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_rows_behind_an_open_mark_are_read(tmp_path: Path, encoding: str, newline: str) -> None:
    """The next mark begins a field, so it closes none; the row in between is no part of a text."""
    path = tmp_path / "a.csv"
    path.write_bytes(OPEN.replace("\n", newline).encode(encoding))
    records, rejected = imported(path)
    assert records == [
        ("橋とは", "川を渡る建物"), ("蜂とは", "蜜を集める虫"), ("紙とは", "木で作る, 物")
    ]  # fmt: skip
    assert rejected == [("open_quote", "a.csv:3")]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", ""])
def test_an_open_mark_that_nothing_closes(tmp_path: Path, encoding: str, end: str) -> None:
    """The rest of the file was one field."""
    path = tmp_path / "a.csv"
    rows = [f"第{n}の問い,第{n}の答え" for n in range(50)]
    lines = ["質問,回答", *rows[:10], '壊れた問い,"開いたまま', *rows[10:]]
    path.write_bytes(("\n".join(lines) + end).encode(encoding))
    records, rejected = imported(path)
    assert [",".join(record) for record in records] == rows
    assert rejected == [("open_quote", "a.csv:12")]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", ""])
def test_sound_texts_of_several_lines(tmp_path: Path, encoding: str, end: str) -> None:
    """In the middle and at the end of a file, with doubled marks and commas in them."""
    path = tmp_path / "a.csv"
    text = '"橋は""川"",\n\n""谷""を渡る。\n以上"'
    path.write_bytes(f"質問,回答\n橋とは,{text}\n駅とは,{text}{end}".encode(encoding))
    records, rejected = imported(path)
    whole = '橋は"川",\n\n"谷"を渡る。\n以上'
    assert records == [("橋とは", whole), ("駅とは", whole)]
    assert rejected == []


@pytest.mark.parametrize(
    ("lines", "kept", "told"),
    [
        # every field is quoted
        (['"q1","a', '"q2","b"', '"q3","c"'], ["q2", "q3"], [2]),
        (['"q1","a', '"q2', 'x","b"', '"q3","c"'], ["q2\nx", "q3"], [2]),
        # two that are open close each other
        (['q1,"a', "q2,b", 'q3,"c', "q4,d"], ["q2", "q4"], [2, 4]),
        # the row whose mark closes it has a text of several lines
        (['q1,"a', 'q2,"b', 'c"', "q3,d"], ["q2", "q3"], [2]),
        (['q1,"a', 'q2,he said "b" and', "q3,c"], ["q2", "q3"], [2]),
        # behind a text of several lines
        (['"q', '1","a', "q2,b", 'q3,"c"'], ["q2", "q3"], [3]),
        # empty texts and doubled marks open nothing
        (['q1,"a', 'q2,"b ""c"""', "q3,d", 'q4,""""'], ["q2", "q3", "q4"], [2]),
        # on the last line: the text may be cut
        (["q1,a", 'q2,"b'], ["q1"], [3]),
    ],
)
def test_open_marks_among_other_marks(
    tmp_path: Path, lines: list[str], kept: list[str], told: list[int]
) -> None:
    """Whatever stands behind, the row with the open mark alone is lost, and told by its line."""
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["query,positive", *lines]) + "\n")
    records, rejected = imported(path)
    assert [query for query, _ in records] == kept
    assert rejected == [("open_quote", f"a.csv:{line}") for line in told]


def test_marks_that_nobody_doubled_are_text(tmp_path: Path) -> None:
    """In one line, or in a line that is no row by itself."""
    path = tmp_path / "a.csv"
    path.write_text('query,positive\nq1,"He said "hi" to her"\nq2,"One line,\nsaid "hi" to\n')
    records, rejected = imported(path)
    assert records == [("q1", 'He said hi" to her"'), ("q2", 'One line,\nsaid hi" to')]
    assert rejected == []


def test_an_open_mark_among_the_names_of_columns(tmp_path: Path) -> None:
    """No row can be read without them: the line is named."""
    path = tmp_path / "a.csv"
    path.write_text('query,"positive\nq1,a\nq2,b\n')
    with pytest.raises(InputError, match=r"a\.csv: open_quote: .*line 1") as told:
        imported(path)
    assert told.value.hint
    with pytest.raises(BadDocument, match="line 1"):
        list(from_table(path, "a.csv", Fields()))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_documents_behind_an_open_mark_are_read(tmp_path: Path, encoding: str) -> None:
    """A corpus' table is read as one of pairs is."""
    path = tmp_path / "a.csv"
    path.write_bytes('題名,本文\n橋,"川を渡る。\n駅,電車が止まる。\n'.encode(encoding))
    broken, document = from_table(path, "a.csv", Fields())
    assert isinstance(broken, Skipped)
    assert (broken.source, broken.reason) == ("a.csv:2", "open_quote")
    assert document.source == "a.csv:3"


def test_open_marks_in_every_second_row(tmp_path: Path) -> None:
    """Each costs its own row alone."""
    path = tmp_path / "a.csv"
    rows = [f'q{n},"a' if n % 2 else f"q{n},a" for n in range(20_000)]
    path.write_text("query,positive\n" + "\n".join(rows) + "\n")
    found = [fields for _, fields in table_rows(path)]
    assert sum(isinstance(fields, list) for fields in found) == 10_001
    assert len(found) == 20_001
