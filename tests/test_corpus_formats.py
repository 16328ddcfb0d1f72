"""Every kind of document → its title and blocks; what cannot be read is told and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from documents import pdf

from generator.corpus import html, markdown, plain
from generator.corpus.blocks import Block, Document, Skipped
from generator.corpus.decoding import decode
from generator.corpus.rows import Fields
from generator.corpus.sources import documents, fingerprint
from generator.errors import BadDocument, InputError

JAPANESE = "巣箱は日当たりのよい場所に置き、冬の北風を避ける。入口は南東に向ける。"
ENGLISH = "A strong colony can hold up to 60,000 bees in summer, almost all of them female workers."
Read = tuple[str, list[Block]]


def read(path: Path, **fields: str) -> list[tuple[str, str, list[Block]] | Skipped]:
    """Source, title and blocks of every document of a path, and what was skipped, in order."""
    found: list[tuple[str, str, list[Block]] | Skipped] = []
    for item in documents([str(path)], Fields(**fields)):
        is_document = isinstance(item, Document)
        found.append((item.source, item.title, list(item.blocks)) if is_document else item)
    return found


def one(path: Path) -> tuple[str, str, list[Block]]:
    """The only document of a path."""
    (found,) = read(path)
    assert isinstance(found, tuple)
    return found


def skipped(path: Path) -> list[tuple[str, str]]:
    """Source and reason of what was skipped, blocks that break included."""
    found = []
    for item in documents([str(path)], Fields()):
        try:
            if isinstance(item, Skipped):
                found.append((item.source, item.reason))
            else:
                list(item.blocks)
        except BadDocument as exc:
            found.append((item.source, exc.reason))
    return found


def texts(blocks: Iterator[Block] | list[Block]) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(block.kind, block.text) for block in blocks]


# -- Markdown


def test_markdown_gives_its_structure() -> None:
    """Headings with levels, paragraphs joined, lists one item a line, code as it is, tables."""
    text = (
        "---\ntitle: Bees\n---\n# Hives\nOne line\nand another.\n\n- first\n- second\n"
        "  - deeper\n\n```rust\nlet x = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Winter\n"
        "> # A note\n> Keep dry.\n"
    )
    title, blocks = markdown.title_and_blocks(text)
    assert title == "Bees"
    assert [(block.kind, block.level, block.text) for block in blocks] == [
        ("heading", 1, "Hives"),
        ("paragraph", 0, "One line and another."),
        ("list", 0, "- first\n- second\n  - deeper"),
        ("code", 0, "let x = 1;"),
        ("table", 0, "a | b\n1 | 2"),
        ("heading", 2, "Winter"),
        ("paragraph", 0, "A note"),
        ("paragraph", 0, "Keep dry."),
    ]


def test_markdown_leaves_out_what_is_no_text() -> None:
    """Comments, tags, directives and readings of ruby go; words of links and code stay."""
    text = (
        "{{#include ../listing.rs}}\n\nSee [the manual](x.html)<!-- ignore --> on `Vec<T>`<br>now."
        "\n\n"
        "<ruby>養蜂<rp>(</rp><rt>ようほう</rt><rp>)</rp></ruby>の<b>本</b>\n"
    )
    assert texts(markdown.blocks(text)) == [
        ("paragraph", "See the manual on Vec<T> now."),
        ("paragraph", "養蜂の本"),
    ]


def test_a_table_of_contents_is_no_text() -> None:
    """A list that is nothing but links leads elsewhere."""
    assert not list(markdown.blocks("- [One](1.md)\n- [Two](2.md)\n"))
    assert list(markdown.blocks("- [One](1.md) tells how bees live in winter\n- [Two](2.md)\n"))


def test_lines_of_japanese_are_joined_without_a_space() -> None:
    """A line break inside a Japanese paragraph is no space; between English words it is one."""
    (found,) = markdown.blocks("巣箱は日当たりの\nよい場所に置く。Rust の\n本を読む。two\nwords\n")
    assert found.text == "巣箱は日当たりのよい場所に置く。Rust の本を読む。two words"


# -- HTML


@pytest.mark.parametrize(
    ("tag", "left"),
    [
        ('<Listing number="4-2" caption="A `Vec<T>` that grows">', ""),
        ("<img alt='a > b' src=x>", ""),
        ('<p title="not closed>', ""),
    ],
)
def test_a_tag_ends_behind_its_quotation_marks(tag: str, left: str) -> None:
    """An angle bracket in an attribute is none of the text; what is broken goes up to the first."""
    found = [block.text for block in markdown.blocks(f"Before.\n\n{tag}\n\nBehind.")]
    assert found == ["Before.", *([left] if left else []), "Behind."]


def test_html_keeps_the_main_part() -> None:
    """Menus, footers, scripts and buttons go; headings, lists, tables, code stay."""
    page = (
        "<html><head><title>Bees – the site</title><style>p{}</style></head><body>"
        "<header>Logo</header><nav><a href=/>Home</a></nav><div class='sidebar'>Ads</div>"
        f"<main><h1>Hives</h1><p>{ENGLISH}</p><ul><li>wax<ul><li>comb</li></ul></li><li>honey</li>"
        "</ul><pre>let x = 1;\n  y</pre><table><tr><th>a</th><td>1</td></tr></table>"
        f"<script>alert(1)</script><div>{JAPANESE}</div></main><footer>© us</footer></body></html>"
    )
    title, blocks = html.title_and_blocks(page)
    assert title == "Bees – the site"
    assert texts(blocks) == [
        ("heading", "Hives"),
        ("paragraph", ENGLISH),
        ("list", "- wax\n  - comb\n- honey"),
        ("code", "let x = 1;\n  y"),
        ("table", "a | 1"),
        ("paragraph", JAPANESE),
    ]


def test_a_fragment_of_html_is_read(tmp_path: Path) -> None:
    """Without a body and a title there are still blocks; the encoding is found."""
    path = tmp_path / "a.html"
    path.write_bytes(f"<p>{JAPANESE}<p>{JAPANESE}".encode("shift_jis"))
    assert texts(one(path)[2]) == [("paragraph", JAPANESE)] * 2


# -- plain text


def test_plain_text_has_structure() -> None:
    """Underlined and numbered headings, lists, indented code, paragraphs."""
    text = (
        "Hives\n=====\n\nOne line\nand another.\n\n1.2 Winter\n\n- wax\n- honey\n  of summer\n\n"
        "    let x = f(1); // {y}\n\n第２章 採蜜\n\n採蜜は夏の\n初めに行う。\n"
    )
    assert [(block.kind, block.level, block.text) for block in plain.blocks(text.splitlines())] == [
        ("heading", 1, "Hives"),
        ("paragraph", 0, "One line and another."),
        ("heading", 2, "1.2 Winter"),
        ("list", 0, "- wax\n- honey of summer"),
        ("code", 0, "    let x = f(1); // {y}"),
        ("heading", 1, "第２章 採蜜"),
        ("paragraph", 0, "採蜜は夏の初めに行う。"),
    ]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "shift_jis", "euc_jp", "iso2022_jp", "cp932"]
)
def test_a_japanese_text_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """Unicode and the encodings of Japan are told apart without being named."""
    path = tmp_path / "a.txt"
    path.write_bytes((JAPANESE + "\n" + JAPANESE).encode(encoding))
    assert texts(one(path)[2]) == [("paragraph", JAPANESE * 2)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("L'été dernier, les abeilles ont été très occupées à récolter le miel.", "latin-1"),
        ("Die Bienen flogen früh über die Wiesen, und „süßer“ Honig floß.", "cp1252"),
        ("Pszczoły zbierają nektar z kwiatów, a pszczelarz wyjmuje miód z uli latem.", "cp1250"),
        ("Пчёлы собирают нектар с цветов, а пчеловод достаёт мёд из ульев летом.", "cp1251"),
    ],
)
def test_other_encodings_are_guessed(text: str, encoding: str) -> None:
    """By their letters, and where several fit by the language."""
    assert decode(text.encode(encoding)) == text


# -- PDF


def test_a_pdf_in_japanese(tmp_path: Path) -> None:
    """Lines are joined, running heads and page numbers go, bookmarks are headings."""
    pages = [
        ["養蜂の手引き", "1.1 巣箱の置き場所", "巣箱は日当たりのよい", "場所に置く。", "- 1 -"],
        ["養蜂の手引き", "採蜜は夏の初めに行う。", "- 2 -"],
        ["養蜂の手引き", "A strong colony can hold many fe-", "male workers.", "- 3 -"],
    ]  # fmt: skip
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(pages, title="養蜂入門", outline=[("1.1 巣箱の置き場所", 0), ("採蜜", 1)]))
    source, title, blocks = one(path)
    assert (source, title) == ("a.pdf", "養蜂入門")
    assert texts(blocks) == [
        ("heading", "1.1 巣箱の置き場所"),
        ("paragraph", "巣箱は日当たりのよい場所に置く。"),
        ("heading", "採蜜"),
        ("paragraph", "採蜜は夏の初めに行う。"),
        ("paragraph", "A strong colony can hold many female workers."),
    ]


# -- rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "shift_jis", "euc_jp", "utf-16"])
def test_jsonl_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """A document a line, its title and its name; a bad line is told with its number."""
    path = tmp_path / "a.jsonl"
    row = {"id": "x1", "title": "養蜂", "body": JAPANESE}
    lines = [json.dumps(row, ensure_ascii=False), "", "{not json", "[1]", '{"n": 1}']
    path.write_bytes("\n".join(lines).encode(encoding))
    first, *others = read(path)
    assert first == ("a.jsonl:x1", "養蜂", [Block("paragraph", JAPANESE)])
    assert [(one.source, one.reason) for one in others if isinstance(one, Skipped)] == [
        ("a.jsonl:3", "not_json"), ("a.jsonl:4", "not_an_object"), ("a.jsonl:5", "no_text"),
    ]  # fmt: skip


def test_one_line_in_another_encoding_loses_no_other(tmp_path: Path) -> None:
    """A broken byte costs its line alone."""
    lines = [json.dumps({"text": JAPANESE + str(i)}, ensure_ascii=False).encode() for i in range(9)]
    lines[4] = lines[4][:20] + b"\xff\xfe\xfa" + lines[4][20:]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = read(path)
    good = [item[2][0].text for item in found if isinstance(item, tuple)]
    assert [JAPANESE + str(i) for i in range(9) if i != 4] == good
    assert [(item.source, item.reason) for item in found if isinstance(item, Skipped)] == [
        ("a.jsonl:5", "bad_encoding")
    ]


def test_a_row_may_hold_markdown(tmp_path: Path) -> None:
    """Headings inside a row's text are headings."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"text": f"# Hives\n\n{ENGLISH}"}, {"text": ENGLISH}]))
    first, second = read(path)
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert first[2] == [Block("heading", "Hives", 1), Block("paragraph", ENGLISH)]
    assert second == ("a.json:2", "", [Block("paragraph", ENGLISH)])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("names", ["Title;Text", "タイトル;本文"])
def test_a_table_as_a_spreadsheet_writes_it(tmp_path: Path, encoding: str, names: str) -> None:
    """Text and title by their columns' names, in any case; a line break within quotes is text."""
    path = tmp_path / "a.csv"
    rows = f'{names}\n橋;"橋は川を渡る。\n古い石の橋もある。"\n'
    path.write_bytes(rows.encode(encoding))
    _, title, blocks = one(path)
    assert title == "橋"
    assert "".join(text for _, text in texts(blocks)) == "橋は川を渡る。古い石の橋もある。"


def test_a_table_without_a_column_of_text(tmp_path: Path) -> None:
    """Each row is told with the columns that it has; `text_field` names another."""
    path = tmp_path / "a.tsv"
    path.write_text("name\tstory\nx\tOnce upon a time.\n", encoding="utf-8")
    (row,) = read(path)
    assert isinstance(row, Skipped)
    assert (row.reason, row.detail) == ("no_text", "fields: name, story")
    ((_, _, blocks),) = [item for item in read(path, text="story") if isinstance(item, tuple)]
    assert texts(blocks) == [("paragraph", "Once upon a time.")]


def test_parquet_reads_named_fields(tmp_path: Path) -> None:
    """Usual names are found; others are named; a vector beside them is no trouble."""
    path = tmp_path / "a.parquet"
    rows = {"title": ["t"], "text": [ENGLISH], "notes": [JAPANESE], "vector": [[0.1, 0.2]]}
    pq.write_table(pa.table(rows), path)
    assert one(path) == ("a.parquet:1", "t", [Block("paragraph", ENGLISH)])
    assert read(path, text="notes") == [("a.parquet:1", "t", [Block("paragraph", JAPANESE)])]
    (found,) = read(path, text="nowhere")
    assert isinstance(found, Skipped)
    assert found.reason == "no_text"


def test_a_saved_data_set_and_one_of_the_hub(tmp_path: Path) -> None:
    """What `save_to_disk` wrote is one source; hf:FOLDER streams a folder of Parquet."""
    rows = Dataset.from_dict({"text": [ENGLISH, JAPANESE]})
    rows.save_to_disk(str(tmp_path / "saved"))
    found = read(tmp_path)
    assert [item[0] for item in found if isinstance(item, tuple)] == ["saved:1", "saved:2"]
    hub = tmp_path / "hub"
    hub.mkdir()
    rows.to_parquet(str(hub / "train.parquet"))
    streamed = list(documents([f"hf:{hub}:train"], Fields()))
    assert [next(iter(item.blocks)).text for item in streamed if isinstance(item, Document)] == [
        ENGLISH, JAPANESE,
    ]  # fmt: skip


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    """The library's error becomes one with a hint."""
    Dataset.from_dict({"text": [ENGLISH]}).to_parquet(str(tmp_path / "train.parquet"))
    with pytest.raises(InputError, match="nowhere") as error:
        list(documents([f"hf:{tmp_path}:nowhere"], Fields()))
    assert "hf:OWNER/NAME" in error.value.hint


def test_a_beir_folder_is_its_corpus_alone(tmp_path: Path) -> None:
    """Queries and judgements beside it are no documents."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q\td\t1\n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "who keeps bees"}\n')
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"_id": "d", "title": "B", "text": ENGLISH}))
    assert one(tmp_path)[:2] == ("corpus.jsonl:d", "B")


# -- what cannot be read


def test_bad_files_are_told_and_stop_nothing(tmp_path: Path) -> None:
    """Empty, binary, locked, broken and unknown files, links to nothing: each with its reason."""
    (tmp_path / "a-empty.md").touch()
    (tmp_path / "b-binary.txt").write_bytes(b"\x00\x01\x02")
    (tmp_path / "c-broken.pdf").write_bytes(pdf([["x"]])[:150])
    (tmp_path / "d-locked.pdf").write_bytes(pdf([["x"]], locked=True))
    (tmp_path / "e-scanned.pdf").write_bytes(pdf([[], []]))
    (tmp_path / "f-broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "g.xyz").write_bytes(b"what")
    (tmp_path / "h-gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "i-broken.json").write_text("[1,")
    (tmp_path / "j-saved").mkdir()
    (tmp_path / "j-saved" / "state.json").write_text("{}")
    (tmp_path / "k-good.txt").write_text(ENGLISH)
    assert skipped(tmp_path) == [
        ("a-empty.md", "empty"),
        ("b-binary.txt", "binary"),
        ("c-broken.pdf", "broken"),
        ("d-locked.pdf", "encrypted"),
        ("e-scanned.pdf", "no_text"),
        ("f-broken.parquet", "broken"),
        ("g.xyz", "unknown_kind"),
        ("h-gone.txt", "unreadable"),
        ("i-broken.json", "not_json"),
        ("j-saved", "broken"),
    ]
    assert read_sources(tmp_path)[-1] == "k-good.txt"


def read_sources(folder: Path) -> list[str]:
    """The sources of all documents, and of what was skipped."""
    return [item.source for item in documents([str(folder)], Fields())]


def test_a_folder_is_walked_whole_but_for_what_is_none_of_it(tmp_path: Path) -> None:
    """By name; hidden files, runs of trine and links that lead back are left out."""
    for name in ("b/two.txt", "a.txt", ".git/config.txt", "run/records.jsonl", "run/run.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(ENGLISH)
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert read_sources(tmp_path) == ["a.txt", "b/two.txt"]
    assert [Path(name).name for name, _, _ in fingerprint([str(tmp_path)])] == ["a.txt", "two.txt"]


def test_a_file_without_a_suffix_is_known_by_its_beginning(tmp_path: Path) -> None:
    """PDF and HTML by their first bytes, the rest as text."""
    (tmp_path / "a").write_bytes(pdf([[ENGLISH]]))
    (tmp_path / "b").write_text(f"<!DOCTYPE html><body><h2>Hives</h2><p>{ENGLISH}")
    (tmp_path / "manual.en").write_text(ENGLISH)
    found = [item[2] for item in read(tmp_path) if isinstance(item, tuple)]
    assert [block[-1].text for block in found] == [ENGLISH] * 3
    assert found[1][0] == Block("heading", "Hives", 2)


def test_a_path_that_is_not_there() -> None:
    """Bad input is told before anything is done."""
    with pytest.raises(InputError, match="no file or folder gone") as error:
        list(documents(["gone"], Fields()))
    assert "hf:OWNER/NAME" in error.value.hint
