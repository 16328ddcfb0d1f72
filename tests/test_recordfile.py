"""Files of records: whole or not at all, by index, and lines that are none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from generator.errors import InputError, RunError
from generator.recordfile import RecordFile, disk_error, read_lines, read_records, write_whole
from generator.records import Record, Rejected, Task, make_record, to_json


def records(count: int) -> list[Record]:
    """Some records, of lengths that differ and in letters of several bytes."""
    return [
        make_record(family="f", task="t", language="ja", query="川" * n, positives=(f"p{n}",))
        for n in range(count)
    ]


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    """A file of these lines."""
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    """While it is written, the old one stands; folders are made."""
    path = tmp_path / "new" / "x.txt"
    with write_whole(path) as file:
        file.write("one\r\ntwo\n日本")
        assert not path.exists()
    assert path.read_bytes() == "one\r\ntwo\n日本".encode()
    with write_whole(path) as file:
        file.write("later")
        assert path.read_bytes().startswith(b"one")
    assert path.read_text() == "later"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_leaves_the_old_file_and_no_other(
    tmp_path: Path, error: type[BaseException]
) -> None:
    """Whatever ends the block."""
    path = write(tmp_path / "x", ["old"])
    with pytest.raises(error), write_whole(path) as file:  # noqa: PT012
        file.write("new")
        raise error
    assert path.read_text() == "old\n"
    assert list(tmp_path.glob("x*")) == [path]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where a folder should be, and a folder where the file should be."""
    write(tmp_path / "file", ["x"])
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "y" / "x", tmp_path / "folder"):
        with pytest.raises(RunError, match="cannot be written") as caught, write_whole(path) as f:
            f.write("x")
        assert str(path) in caught.value.message
        assert "-o" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space and run the same command: answers are kept"),
        (errno.EROFS, "choose a folder you may write to with -o"),
        (errno.EACCES, "choose a folder you may write to with -o"),
        (errno.EPERM, "choose a folder you may write to with -o"),
        (errno.EIO, "check the folder, or choose another with -o"),
    ],
)
def test_what_the_disk_says_becomes_something_to_do(tmp_path: Path, number: int, hint: str) -> None:
    """From inside a block, too: the file is not left half written."""
    path = tmp_path / "x"
    with pytest.raises(RunError) as caught, write_whole(path):
        raise OSError(number, "said so")
    assert caught.value.message == f"{path}: cannot be written: said so"
    assert caught.value.hint == hint
    assert list(tmp_path.glob("x*")) == []
    assert disk_error(OSError("plain"), path).message == f"{path}: cannot be written: plain"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\n  \n"])
def test_records_are_read_by_index(tmp_path: Path, end: str) -> None:
    """From either end, by slice and in order; blank lines do not count."""
    expected = records(5)
    path = write(tmp_path / "r", [to_json(record) for record in expected], end)
    file = RecordFile(path)
    assert len(file) == 5
    assert list(file) == expected
    assert list(file) == expected
    assert (file[3], file[-1], file[-5]) == (expected[3], expected[4], expected[0])
    assert file[1:4] == expected[1:4]
    assert file[::-2] == expected[::-2]
    assert file.line(2) == to_json(expected[2]).encode()
    for index in (5, -6):
        with pytest.raises(IndexError):
            file[index]
    file.close()


def test_the_last_line_needs_no_newline(tmp_path: Path) -> None:
    """An empty file holds no record."""
    path = tmp_path / "r"
    path.write_text("\n".join(to_json(record) for record in records(3)), encoding="utf-8")
    file = RecordFile(path)
    assert list(file) == records(3) == list(read_records(path))
    file.close()
    empty = RecordFile(write(tmp_path / "e", []))
    assert (len(empty), list(empty)) == (0, [])
    empty.close()


def test_a_bad_line_of_a_users_file_is_rejected_in_its_place(tmp_path: Path) -> None:
    """Invalid UTF-8, no JSON, other JSON and missing fields; the rest is read."""
    good = to_json(records(1)[0]).encode()
    bad = [b'{"id": "\xff"}', b"nothing", b"[1]", b'{"id": "x"}', b"[" * 9000, b'"\\ud800"']
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\n".join([good, *bad, good]))
    found = list(read_records(path))
    assert found[0] == found[-1] == records(1)[0]
    rejected = [item for item in found if isinstance(item, Rejected)]
    assert len(rejected) == len(bad)
    assert {(item.stage, item.reason) for item in rejected} == {("read", "not_a_record")}
    for number, item in enumerate(rejected, start=2):
        assert item.detail.startswith(f"mine.jsonl:{number}: ")
        assert to_json(item)
    assert "�" in (rejected[0].text or "")
    assert rejected[3].detail == "mine.jsonl:5: family: Field required"


def test_a_users_file_without_a_record_is_refused(tmp_path: Path) -> None:
    """Behind its last line; one without a line is an empty file of records."""
    path = write(tmp_path / "pairs.jsonl", ["query,positive", "a,b"])
    with pytest.raises(InputError, match=r"no record in it: line 1: Invalid JSON"):
        list(read_records(path))
    assert list(read_records(write(tmp_path / "empty.jsonl", []))) == []


def test_a_bad_line_of_our_own_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    """Read as a stream or by index."""
    path = write(tmp_path / "r", [to_json(records(1)[0]), "", '{"id": "x"}'])
    with pytest.raises(InputError) as caught:
        list(read_lines(Record, path))
    assert caught.value.message == f"{path}:3: not a record: family: Field required"
    file = RecordFile(path)
    for index in (1, -1):
        with pytest.raises(InputError) as caught:
            file[index]
        problem = f"{path}: item 2 is not a record: family: Field required"
        assert caught.value.message == problem
    file.close()


def test_other_kinds_of_lines_are_read(tmp_path: Path) -> None:
    """Tasks and rejections."""
    task = Task("f", "en", "Find.", "d", "k")
    assert list(read_lines(Task, write(tmp_path / "t", [to_json(task)]))) == [task]
    rejected = Rejected("s", "r", "f", "en", record=records(1)[0])
    assert list(read_lines(Rejected, write(tmp_path / "r", [to_json(rejected)]))) == [rejected]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "gone", tmp_path):
        for read in (RecordFile, lambda p: list(read_records(p))):
            with pytest.raises(InputError) as caught:
                read(path)
            assert caught.value.message.startswith(f"{path}: ")
