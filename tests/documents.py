"""Documents for tests: real PDF files, written by hand, in any script that UTF-16 has."""

from __future__ import annotations

from collections.abc import Sequence

# A font that is not embedded, with a predefined map from UTF-16 to glyphs: as office programs
# in Japan write it.
_FONT = (
    "<</Type/Font/Subtype/Type0/BaseFont/KozMinPr6N-Regular/Encoding/UniJIS-UTF16-H"
    "/DescendantFonts[<</Type/Font/Subtype/CIDFontType0/BaseFont/KozMinPr6N-Regular"
    "/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 6>>"
    "/FontDescriptor<</Type/FontDescriptor/FontName/KozMinPr6N-Regular/Flags 6"
    "/FontBBox[-437 -340 1147 1317]/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 740/StemV 87>>"
    ">>]>>"
)
# Of a user password that nobody knows.
_LOCK = (
    f"/Encrypt<</Filter/Standard/V 1/R 2/O<{'11' * 32}>/U<{'22' * 32}>/P -4>>"
    f"/ID[<{'33' * 16}><{'33' * 16}>]"
)


def pdf(
    pages: Sequence[Sequence[str]],
    *,
    title: str = "",
    outline: Sequence[tuple[str, int]] = (),
    locked: bool = False,
) -> bytes:
    """A PDF of these lines a page; `outline` are bookmarks, each with its page from 0."""
    objects = ["<</Type/Catalog/Pages 2 0 R%s>>", "", _FONT, f"<</Title{_text(title)}>>"]
    kids = []
    for lines in pages:
        shown = "".join(f"<{_hex(line)}>Tj T*\n" for line in lines)
        content = f"BT /F1 11 Tf 14 TL 50 780 Td\n{shown}ET"
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 1200 842]/Contents {len(objects)} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    objects[0] %= _add_outline(objects, outline, kids)
    return _file(objects, _LOCK if locked else "")


def _add_outline(
    objects: list[str], outline: Sequence[tuple[str, int]], kids: Sequence[str]
) -> str:
    if not outline:
        return ""
    root = len(objects) + 1
    ends = f"/First {root + 1} 0 R/Last {root + len(outline)} 0 R"
    objects.append(f"<</Type/Outlines/Count {len(outline)}{ends}>>")
    for number, (title, page) in enumerate(outline, start=1):
        following = f"/Next {root + number + 1} 0 R" if number < len(outline) else ""
        dest = f"/Dest[{kids[page]}/Fit]"
        objects.append(f"<</Title{_text(title)}/Parent {root} 0 R{dest}{following}>>")
    return f"/Outlines {root} 0 R"


def _file(objects: Sequence[str], trailer: str) -> bytes:
    data = b"%PDF-1.5\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    start = len(data)
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = f"/Size {len(objects) + 1}"
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    data += f"trailer<<{size}/Root 1 0 R/Info 4 0 R{trailer}>>\n".encode()
    return data + f"startxref\n{start}\n%%EOF\n".encode()


def _text(text: str) -> str:
    return f"<FEFF{_hex(text)}>"


def _hex(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()
