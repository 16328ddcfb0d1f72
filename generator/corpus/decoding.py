"""Bytes → text: UTF-8, -16, -32, Shift_JIS, EUC-JP, ISO-2022-JP, what charset-normalizer knows."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from generator import langid
from generator.errors import BadDocument, MissingExtra

SAMPLE_BYTES = 1 << 18
# UTF-32's begins with UTF-16's.
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
WIDE = frozenset({"utf-16", "utf-32"})  # a line cannot be decoded alone
_WIDE_BOMS = tuple(bom for bom, encoding in _BOMS.items() if encoding in WIDE)
_BROKEN = "\ufffd"
# EUC-JP after Shift_JIS: kana of either are seldom kana in the other. A Chinese text holds none.
_JAPANESE = ("cp932", "euc_jp")
_HIRAGANA = re.compile("[\u3041-\u309f]")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")  # what EUC-JP looks like when read as Shift_JIS
_FEWEST_KANA = 0.05
_SOUND = 2  # characters for each that is broken
# French read as Central European has è for č: the letters cannot tell, the language can.
_LATIN = {"cp1250", "cp1254", "cp1257", "latin_1", "iso8859_2", "iso8859_10", "iso8859_16"}
_MOST_BEYOND, _MARKS = 0.1, set("“”‘’„–—…€«»°§·¿¡\xa0")
_WESTERN = set("en fr de es it pt nl sv da no nb nn fi is ca gl eu".split())


def decode(data: bytes) -> str:
    """The text that the bytes hold. Raises BadDocument where they hold none.

    A few bytes that are broken are U+FFFD in it, as in a browser.
    """
    encoding = detect(data[:SAMPLE_BYTES], whole=len(data) <= SAMPLE_BYTES)
    try:
        return data.decode(encoding, "replace" if is_broken(data) else "strict")
    except UnicodeDecodeError as exc:
        raise BadDocument("bad_encoding", f"{encoding} up to byte {exc.start}") from exc


def lines(path: Path) -> Iterator[str | UnicodeDecodeError]:
    """The lines of a file; a broken one comes as what is wrong with it. Raises BadDocument."""
    encoding = encoding_of(path)
    if encoding in WIDE:
        with path.open(encoding=encoding, errors="replace") as text:
            yield from (_unbroken(line, encoding) for line in text)
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError as exc:
                yield exc


def _unbroken(line: str, encoding: str) -> str | UnicodeDecodeError:
    if _BROKEN not in line:
        return line
    place = line.index(_BROKEN)
    return UnicodeDecodeError(encoding, line.encode(), place, place + 1, "broken character")


def encoding_of(path: Path) -> str:
    """By the first line that is not ASCII, or by most: a broken line makes a file no other.

    Raises BadDocument.
    """
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    first = next((line for line in sample.splitlines() if not line.isascii()), b"")
    is_utf8 = decoded(first, "utf-8") is not None and b"\x1b$" not in sample
    return "utf-8-sig" if is_utf8 and b"\0" not in sample else detect(sample, whole=False)


def detect(sample: bytes, *, whole: bool = True) -> str:
    """The encoding that a file's first bytes are in. Raises BadDocument.

    `whole` false: the sample may end in the middle of a character.
    """
    for bom, encoding in _BOMS.items():
        if sample.startswith(bom):
            return encoding
    if b"\0" in sample:
        raise BadDocument("binary", "holds zero bytes")
    if decoded(sample, "utf-8", whole=whole) is not None or _is_mostly_utf8(sample):
        return "iso2022_jp" if b"\x1b$" in sample else "utf-8"
    return _japanese(sample, whole=whole) or _guessed(sample)


def is_broken(data: bytes, *, whole: bool = True) -> bool:
    """Whether a few broken characters may be passed over: those of UTF-8, UTF-16 and UTF-32."""
    is_utf8 = decoded(data, "utf-8", whole=whole) is not None
    return data.startswith(_WIDE_BOMS) or (not is_utf8 and _is_mostly_utf8(data))


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether few of the characters beyond ASCII are broken: of another encoding nearly all are."""
    text = data.decode(errors="replace")
    broken = text.count(_BROKEN)
    return sum(not char.isascii() for char in text) - broken > _SOUND * broken


def _japanese(sample: bytes, *, whole: bool) -> str | None:
    shares = {}
    for encoding in _JAPANESE:
        text = decoded(sample, encoding, whole=whole)
        if text:
            kana = len(_HIRAGANA.findall(text)) - len(_HALF_WIDTH.findall(text))
            beyond = sum(not char.isascii() for char in text)
            shares[encoding] = kana / max(1, beyond)  # none: it ends with half a character
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best and shares[best] >= _FEWEST_KANA else None


def _is_western(text: str) -> bool:
    """Whether text read as cp1252 is in a language of it, with no more letters beyond ASCII."""
    beyond = [char for char in text if not char.isascii()]
    if len(beyond) > _MOST_BEYOND * len(text):
        return False
    letters = all(char.isalpha() or char in _MARKS for char in beyond)
    return letters and langid.detect(text).language in _WESTERN


def _guessed(sample: bytes) -> str:
    # First, for a few bytes beyond ASCII are Chinese characters as well, if one looks for them.
    western = decoded(sample, "cp1252")
    if western and _is_western(western):
        return "cp1252"
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415 - 30 ms, and seldom needed
    except ImportError as exc:
        raise MissingExtra("charset-normalizer", "corpus") from exc
    best = from_bytes(sample).best()
    if best is None:
        raise BadDocument("bad_encoding", "in no encoding that is known")
    is_western = best.encoding in _LATIN and langid.detect(str(best)).language in _WESTERN
    return "cp1252" if is_western and decoded(sample, "cp1252") is not None else best.encoding


def decoded(sample: bytes, encoding: str, *, whole: bool = True) -> str | None:
    """The text of the bytes in that encoding; None where they are in another."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        return None
