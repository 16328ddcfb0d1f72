"""Letters that do not belong: query_mixed_script, positive_mixed_script, negative_mixed_script.

Four signs: letters of two alphabets within one word ("раypal"), bytes read in the wrong encoding
("â€™"), words of another script in the running text, and simplified Chinese characters in
Japanese. A name in its own script, in brackets or once, belongs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, lowered, prose_sides, quote
from generator.records import Record
from generator.scripts import RANGES, SCRIPTS
from generator.text import used_chars

_LATIN, _CYRILLIC, _GREEK = RANGES["Latn"], RANGES["Cyrl"], "\u0391-\u03a9\u03b1-\u03c9"
# Two letters on each side, or one of the other alphabet within a word: "5 μm" and "α-helix" pass.
_WITHIN = re.compile(
    f"[{_LATIN}][{_CYRILLIC}]|[{_CYRILLIC}][{_LATIN}]|[{_LATIN}]{{2}}[{_GREEK}][{_LATIN}]"
)
# How bytes 80 to BF of UTF-8 look in Windows-1252, undefined ones as Latin-1.
_TAIL = re.escape(
    "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xC0))
)
_MOJIBAKE = re.compile(
    f"\ufffd|[ÃÂ][{_TAIL}]|[âãï][{_TAIL}]{{2}}|(?:[åæçèéÐÑ][{_TAIL}]{{1,2}}){{2}}"
    # The same in Shift JIS, where kana and common Chinese characters begin with these.
    "|(?:[縺繧繝譁荳蜷譛邨蛻豁螟莠蟄][\uff61-\uff9f\u3041-\u30ff\u4e00-\u9fff]?){3}"
)
# Letters that are no part of a text's languages, two or more in a row, by the text's own script.
_ALL = (
    "Latn",
    "Cyrl",
    "Arab",
    "Grek",
    "Hebr",
    "Armn",
    "Geor",
    "Deva",
    "Beng",
    "Thai",
    "Hani",
    "Hang",
)
_SCRIPTS = {**RANGES, "Hang": "\uac00-\ud7a3"}
_KANA = "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
# In common Chinese use, never in Japanese.
_SIMPLIFIED = re.compile(
    "[这们说对时过还样东车见长问间关应该认识让进远运边专业开动产发经给结组织红级约线练终绍细绝"
    "续维绿编缘缩缴谁课谈请语调谢论证评译词试诗话诚详误读谓记讲许设访诉诊简笔签类紧纸纪纯纳纷"
    "纹职联聪肃脑脸艺节药营获虑虽蓝补视觉览观规觅计订讨训议讯饭饮饱馆马驾骂验骑鱼鸟鸡龙门闪闭"
    "闻阅队阳阴阶际陆陈险难须顾顿预领频题颜额风飞为书买亚亲亿仅仓仪众优伙传伤伦伟侧债倾偿储兰"
    "兴养兽冈军农冻净减凤凯击划刘则刚创删别剂剑剧劝办务劳势勋华协单卖卢卫厅历厉压厌县叠叹吗启"
    "吴员响]"
)
_FOREIGN = {
    script: re.compile(
        "[" + "".join(_SCRIPTS[other] for other in _ALL if other not in own)
        + ("" if script in {"Jpan", "Hani", "Kore"} else _KANA) + "]{2,}"
    )
    for script, own in (
        ("Latn", {"Latn", "Grek"}),  # letters of formulas
        ("Jpan", {"Latn", "Hani", "Grek"}),
        ("Hani", {"Latn", "Hani", "Grek"}),
        ("Kore", {"Latn", "Hani", "Hang", "Grek"}),
        *((name, {"Latn", "Grek", name}) for name in _ALL if name not in {"Latn", "Hani", "Hang"}),
    )
}  # fmt: skip
_LETTER_OF = {pattern: re.compile(pattern.pattern[:-4]) for pattern in _FOREIGN.values()}
_BROKEN = re.compile("[\ufffdÃÂâãïåæçèéÐÑ縺繧繝譁荳蜷譛邨]")
_OTHER_ALPHABET = re.compile(f"[{_CYRILLIC}{_GREEK}]")
_ABOUT_LANGUAGE = re.compile(
    r"\b(?:languages?|words?|kanji|hanzi|hangul|characters?|scripts?|alphabets?|spell(?:ed|ing)"
    r"|translat\w+|pronounc\w+"
    "|written as|phrases?|japanese|chinese|korean|arabic|russian|greek|hebrew|thai|hindi"
    r"|sanskrit|ukrainian|persian)\b"
    "|言語|漢字|文字|単語|語[での:：]|表記|綴り|発音|读音|汉字|语言|写作|拼音|sprache|wort"
    "|schrift|zeichen"
)
_BRACKETED = re.compile(r"[(（\[「『“‘《〈【][^()（）\[\]「」『』“”‘’《》〈〉【】]*$")


def check(
    record: Record, _values: Mapping[str, str], *, max_foreign_runs: int = 3
) -> Reject | None:
    """Reject a record with a text that mixes scripts as no writer does.

    `max_foreign_runs`: words of other scripts, outside brackets and quotation marks, that a text
    about languages may have in every 400 characters; another text has none.
    """
    for side, text, language in prose_sides(record):
        if text.isascii():
            continue
        used = used_chars(text)  # most texts end here
        found = _MOJIBAKE.search(text) if _BROKEN.search(used) else None
        if found is None and _OTHER_ALPHABET.search(used):
            found = _WITHIN.search(text)
        if found:
            start = max(0, found.start() - 20)
            return Reject(f"{side}_mixed_script", quote(text[start : found.end() + 20]))
        runs = _foreign_runs(text, language, used)
        most = max_foreign_runs * (1 + len(text) // 400)
        if runs and (len(runs) > most or not _ABOUT_LANGUAGE.search(lowered(text))):
            return Reject(f"{side}_mixed_script", ", ".join(runs[:6]))
    return None


def _foreign_runs(text: str, language: str, used: str) -> list[str]:
    """Words in a script that the language has not, outside brackets and quotation marks."""
    pattern = _FOREIGN.get(SCRIPTS.get(language, ("",))[0])
    if pattern is None:
        return []
    runs: list[str] = []
    if _LETTER_OF[pattern].search(used):
        runs = [m.group() for m in pattern.finditer(text) if not _is_given(text, m.start())]
    if language == "ja" and _SIMPLIFIED.search(used):
        runs += [m.group() for m in _SIMPLIFIED.finditer(text) if not _is_given(text, m.start())]
    return runs


def _is_given(text: str, place: int) -> bool:
    """Whether the place is within brackets or quotation marks."""
    return bool(_BRACKETED.search(text[max(0, place - 60) : place]))
