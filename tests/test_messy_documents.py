"""Documents as they lie about: broken bytes, odd names, pages in forms, links in circles."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from documents import pdf

from generator.corpus import html, markdown
from generator.corpus.blocks import Skipped
from generator.corpus.build import open_passages
from generator.corpus.decoding import decode
from generator.corpus.rows import Fields
from generator.corpus.sources import documents, files
from generator.corpusconfig import CorpusConfig
from generator.runs import RunFolder

ENGLISH = "A strong colony can hold up to 60,000 bees in summer, almost all of them female workers."
JAPANESE = "巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。"
Built = Callable[[], tuple[list[str], list[tuple[str, str]]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one document that is in order."""
    found = tmp_path / "documents"
    found.mkdir()
    (found / "good.md").write_text(f"# Good\n\n{JAPANESE}\n", encoding="utf-8")
    return found


@pytest.fixture
def built(folder: Path, tmp_path: Path) -> Built:
    """The texts of the folder's passages, and what was skipped."""

    def build() -> tuple[list[str], list[tuple[str, str]]]:
        run = RunFolder(tmp_path / "run")
        passages, _ = open_passages(CorpusConfig(paths=str(folder), min_tokens=0), run)  # type: ignore[arg-type]
        lines = run.skipped.read_text(encoding="utf-8").splitlines()
        return [p.text for p in passages], [
            (row["source"], row["reason"]) for row in map(json.loads, lines)
        ]

    return build


def shown(page: str) -> list[str]:
    """The texts of a page's blocks."""
    return [block.text for block in html.title_and_blocks(page)[1]]


def test_a_name_that_is_no_utf8_stops_nothing(folder: Path, built: Built) -> None:
    """Of an archive from a Japanese PC: Shift_JIS in the name, told and read."""
    for name, text in (("空", ""), ("蜂", f"# Bees\n\n{ENGLISH}")):
        (folder / os.fsdecode(f"{name}.md".encode("cp932"))).write_text(text)
    texts, skipped = built()
    assert set(texts) == {ENGLISH, JAPANESE}
    assert [reason for _, reason in skipped] == ["empty"]


def test_half_a_character_in_json_stops_nothing(folder: Path, built: Built) -> None:
    r"""A lone surrogate (`\ud83d`, of an emoji that was cut) has no UTF-8 form."""
    rows = (f'{{"text": "{ENGLISH} \\ud83d"}}', '{"text": "\\ud83d"}', '{"x\\ud83d": 1}')
    (folder / "rows.jsonl").write_text("\n".join(rows))
    texts, skipped = built()
    assert f"{ENGLISH} \ufffd" in texts
    assert skipped == [("rows.jsonl:2", "too_short"), ("rows.jsonl:3", "no_text")]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json_nested_too_deeply_costs_its_row(folder: Path, built: Built, suffix: str) -> None:
    """Nothing else is lost."""
    (folder / f"rows.{suffix}").write_text("[" * 100_000)
    texts, skipped = built()
    assert texts == [JAPANESE]
    assert [reason for _, reason in skipped] == ["not_json"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "text.txt", "text.md"])
def test_a_wide_encoding_that_is_cut_keeps_what_is_whole(
    folder: Path, built: Built, name: str, encoding: str
) -> None:
    """The file ends in the middle of a character."""
    forms = {"rows.jsonl": json.dumps({"text": ENGLISH}) + "\n", "rows.csv": f'text\n"{ENGLISH}"\n'}
    text = forms.get(name, ENGLISH + "\n\n")
    (folder / name).write_bytes(text.encode(encoding) + b"x")
    assert any(ENGLISH in text for text in built()[0])


def test_a_broken_byte_makes_utf8_no_other_encoding(folder: Path, built: Built) -> None:
    """A page with one is read as browsers do; its other letters are no mojibake."""
    french = "Les abeilles ont été élevées près de la forêt où poussait jadis une bruyère dorée."
    spanish = "La colmena dorada está aquí, junto al río, y allí vivirá también el próximo año."
    broken = f"{french}\n\n".encode() + b"x\xff\n\n" + JAPANESE.encode()
    assert decode(broken) == f"{french}\n\nx\ufffd\n\n{JAPANESE}"
    for name in ("a.txt", "b.md"):
        (folder / name).write_bytes(f"{french} {name}\n\n".encode() + b"x\xff\n\n")
    row = json.dumps({"text": spanish}, ensure_ascii=False).encode()
    (folder / "c.jsonl").write_bytes(b'{"text": "\xe9 x"}\n' + row + b"\n")
    texts, skipped = built()
    assert spanish in texts
    assert sum("été" in text for text in texts) == 1  # the other is its near-duplicate
    assert not any("Ã" in text for text in texts)
    assert ("c.jsonl:1", "bad_encoding") in skipped


def test_parquet_with_text_that_is_no_utf8_costs_its_row(folder: Path, built: Built) -> None:
    """Arrow does not look at what a writer calls text."""
    table = pa.table({"text": [f"{ENGLISH} XXXX", "Bees " + ENGLISH.lower()[2:40] + " far away."]})
    pq.write_table(table, folder / "a.parquet", compression="none", use_dictionary=False)
    data = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(data.replace(b"XXXX", b"\xff\xfe\xfd\xfc"))
    texts, skipped = built()
    assert ("a.parquet:1", "bad_encoding") in skipped
    assert any(text.endswith("far away.") for text in texts)


def test_a_table_in_jis_with_a_broken_character_keeps_the_others(
    folder: Path, built: Built
) -> None:
    """ISO-2022-JP, of old mails."""
    other = "Honey is taken out at the beginning of summer and sold in the village."
    rows = f"本文\n{JAPANESE}夏\n{other}\n".encode("iso2022_jp")
    (folder / "a.csv").write_bytes(rows.replace("夏".encode("iso2022_jp")[3:5], b"\x7f\x7f"))
    texts, skipped = built()
    assert other in texts
    assert ("a.csv:2", "bad_encoding") in skipped


def test_half_a_character_at_the_end_stops_nothing(folder: Path, built: Built) -> None:
    """Of a table whose only byte beyond ASCII is its last one, and of a PDF's title."""
    (folder / "a.tsv").write_bytes(f"text\n{ENGLISH}\n".encode() + b"\x81")
    data = pdf([[ENGLISH.replace("strong", "weak")]], title="A")
    (folder / "b.pdf").write_bytes(data.replace(b"/Title<FEFF0041>", b"/Title<FEFFD800>"))
    texts, _ = built()
    assert ENGLISH in texts


def test_links_in_circles_end(folder: Path) -> None:
    """Eight folders, each with a link to each other one: every folder is walked once."""
    names = "abcdefgh"
    for name in names:
        (folder / name).mkdir()
        (folder / name / "text.txt").write_text(ENGLISH)
        for other in set(names) - {name}:
            (folder / name / f"to-{other}").symlink_to(folder / other)
    assert len(list(files(str(folder)))) == len(names) + 1


def test_a_folder_that_may_not_be_looked_into_is_told() -> None:
    """The rest is read."""
    nobody = 65534
    with TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)
        for name in ("a", "b", "c"):
            (root / name).mkdir()
            (root / name / "text.txt").write_text(ENGLISH)
        (root / "b").chmod(0)
        own = os.geteuid()
        os.seteuid(own or nobody)  # nothing is closed to root
        try:
            found = list(documents([place], Fields()))
        finally:
            os.seteuid(own)
    assert [item.source for item in found] == ["a/text.txt", "b", "c/text.txt"]
    assert found[1] == Skipped("b", "unreadable", "Permission denied")


def test_a_document_without_text_is_told(folder: Path, built: Built) -> None:
    """Nothing but white space, scripts, or a list of nothing."""
    (folder / "a.txt").write_text("\n \n")
    (folder / "b.html").write_text("<script>x</script><nav>Menu</nav>")
    (folder / "c.json").write_text("[]")
    (folder / "d.jsonl").write_text('{"text": ""}\n')
    assert built()[1] == [
        ("a.txt", "no_text"), ("b.html", "no_text"), ("c.json", "empty"), ("d.jsonl:1", "no_text")
    ]  # fmt: skip


def test_a_form_around_the_page_is_no_furniture() -> None:
    """ASP.NET puts every page into one; a search form goes all the same."""
    search = "<form><p>Search the manual</p><button>Go</button></form>"
    page = f"<body><form id=aspnetForm><div><p>{ENGLISH}</p></div><button>Go</button></form></body>"
    assert shown(page) == [ENGLISH]
    assert shown(f"<body>{search}<p>{ENGLISH}</p></body>") == [ENGLISH]


def test_what_holds_the_main_part_is_no_furniture() -> None:
    """`has-sidebar` says of VitePress's and WordPress's pages that there is one beside it."""
    main = f"<main><p>{ENGLISH}</p></main><div class=sidebar>Links</div>"
    assert shown(f"<body><div class='VPContent has-sidebar'>{main}</div></body>") == [ENGLISH]
    assert shown(f"<body><div class=no-sidebar><h1>A</h1><p>{ENGLISH}</p></div></body>") == [
        "A", ENGLISH,
    ]  # fmt: skip


def test_a_table_inside_a_table_is_read_once() -> None:
    """Pages that are laid out by tables."""
    inner = f"<table><tr><td>{ENGLISH}</td></tr></table>"
    page = f"<table><tr><td>Left</td><td><table><tr><td>{inner}</td></tr></table></td></tr></table>"
    assert "\n".join(shown(page)).count(ENGLISH) == 1


def test_front_matter_of_hugo_and_lines_of_windows() -> None:
    """TOML between `+++`; a directive ends before a carriage return."""
    title, blocks = markdown.title_and_blocks(f'+++\ntitle = "蜂"\ndraft = true\n+++\n\n{ENGLISH}')
    assert (title, [block.text for block in blocks]) == ("蜂", [ENGLISH])
    lines = f"# A\r\n\r\n{{{{#include x.rs}}}}\r\n\r\n{ENGLISH}\r\n"
    assert [block.text for block in markdown.blocks(lines)] == ["A", ENGLISH]


def test_a_pdf_with_a_broken_page_keeps_what_came_before(folder: Path, built: Built) -> None:
    """Its third page is no page."""
    data = pdf([["Some other words that stand on page one."], [ENGLISH], ["Nothing"]])
    (folder / "a.pdf").write_bytes(data.replace(b"/Type/Page/", b"/Type/Nope/", 3).replace(
        b"/Type/Nope/", b"/Type/Page/", 2))  # fmt: skip
    texts, skipped = built()
    assert any(ENGLISH in text for text in texts)
    assert skipped == [("a.pdf", "broken")]
