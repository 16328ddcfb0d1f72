"""How texts and queries of Japanese end: whole, in a predicate or as notes do, or open.

Japanese puts its predicate last, so an end tells what other languages tell by their order. No
dictionary stands behind these: the shapes of endings in the plain, polite and written styles.
"""

from __future__ import annotations

import re

from generator.text import word_count

_HAN = "\u4e00-\u9fff々"
# "…である", "…した", "…を含む", "…は多い", "…だろうか"; not "また", "ひとつ", "のように", "もう".
_PREDICATE = re.compile(
    f"(?:る|[{_HAN}まで]す|[むぶぬ]|(?<![にとたくみよ一二三四五六七八九])つ|(?<![まなかふ])た|(?<![またい])だ"
    "|(?<![よそこもどほゅょ])う|(?:でしょ|ましょ)う|ません"
    "|(?:[いおて]|[書働開続除行置引聞描築招抜])く|(?:[なたしよさきすろど]|(?<!あ)る)い"
    "|[高低大小多少長短強弱早速近遠深浅広狭重軽古新若良悪]い|下さい|(?<=[ただいす])[よねわ])"
    "か?$"
)
# Notes end in a noun: "…を設立", "…に就任", "…など", "2019年", "…の総称", or in a formula, a title
# or a command of three words or more in letters.
_UNITS = "年|月|日|年代|世紀|時|分|秒|人|名|円|点|位|回|歳|[かヶカ]国|[%％]|k?m|[cm]m|k?g"
_NOTE = re.compile(
    r"(?:[A-Za-z][\w.'’-]*[ ,]+){2,}[\w.'’-]+$|[≠≤≥＝∝∈⇒⇔→][^。]{0,20}$"
    f"|(?:[をにが](?:[{_HAN}]{{2,4}}|[\u30a1-\u30fa\u30fc]{{3,8}})"
    "|など|等|ほか|こと|もの|のみ|だけ|とおり|通り|参照"
    "|の(?:略称?|一種|総称|意味?|一つ|ひとつ|別名|愛称|通称|俗称|一例)"
    f"|[0-9０-９][百千万億兆]?(?:{_UNITS}))$"
)
_NOUN = re.compile(r"(?:[^\W_\u3041-\u309f]|もの|こと|ところ)$")
_OPEN = re.compile(
    "(?:[、，をがへ]|(?<![るたいなむすくうつ]も)の|(?<!ま)(?<!ない)で|(?<!な)に|(?:における|による|に関する"
    r"|および|または|(?<![何んと])という|ような|ための|についての)(?:…|\.\.\.)?)$"
)
# "…を何という", "いつ始まるの", "…は誰なの": the end of a question that has asked already. And in
# which words it is to be answered: "…を英語で".
_ASKED = re.compile(
    "(?:[何誰]|なんで|だれ|いつ|どこ|どの|どんな|どう|なぜ|いく[つら]|どれ|どちら).*(?:という|[るたいうくすむ][のが]|なの)$"
    "|(?:[語字名]|カタカナ|ひらがな|一言)で$"
)

_TYPED_ON = re.compile(r"(?<=[?？])[、，,]+$")
_STOP = re.compile("[。．｡！？!?]")
_CAPTION_WORDS = 25  # 50 characters


def ends_in_noun(text: str) -> bool:
    """Whether it ends in a noun, as keywords do: in Han, katakana, a letter or a figure."""
    return bool(_NOUN.search(text[-4:]))


def is_whole(text: str) -> bool:
    """Whether a text without a last stop may end here: in a predicate, or as notes do."""
    return bool(_PREDICATE.search(text[-8:]) or _NOTE.search(text[-40:]))


def is_caption(text: str) -> bool:
    """Whether it has no full stop at all, as cells of tables have none, and is as short."""
    is_short = word_count(text) < _CAPTION_WORDS
    return is_short and not (_STOP.search(text) or _OPEN.search(text[-12:]))


def is_open_query(query: str) -> bool:
    """Whether the query ends in a word that asks for another one."""
    end = _TYPED_ON.sub("", query)
    return bool(_OPEN.search(end[-12:])) and not _ASKED.search(end)
