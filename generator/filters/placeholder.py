"""Stand-ins for a text: query_placeholder, positive_placeholder, negative_placeholder.

Models echo the schema ("string", "<text>"), leave blanks ("[insert name]", "...", "○○"), copy a
template's variables and its markup. What a text may well talk about ("lorem ipsum", `{{ name }}` in
a page on templates, tags in one on HTML) is rejected only where it cannot be its subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, Side, lowered, quote, sides
from generator.filters.signs import Signs
from generator.records import Record

# The names of the reply fields of the method's families, as models leak them.
_FIELD = (
    "user_query|positive_document|hard_negative_document|input_text|misleading_label"
    "|positive_passage|negative_passage|negative_document|hard_negative"
)
_NOTHING = re.compile(r"[\W_]*")
_WHOLE = re.compile(
    rf"(?:n/?a|n\.a\.|string|str|tbd|todo|null|undefined|placeholder|your answer here|{_FIELD}"
    r"|(?:sample|example|your|insert|some|search|user) (?:text|query|document|passage)(?: here)?"
    r"|ここに\S{0,15}(?:入力|記入|挿入)\S{0,8}|プレースホルダー?|<[^<>\n]{1,60}>"
    r"|\[[^\[\]\n]{1,60}\]|\{[^{}\n]{1,60}\})",
    re.IGNORECASE,
)
# "none" and "text" can be the name of a class; as a query or a document they are an echo.
_WHOLE_PROSE = re.compile(
    "(?:none|nan|text|query|document|passage|example|question|answer|クエリ|文書|質問|回答"
    "|テキスト|検索クエリ|查询|文档)",
    re.IGNORECASE,
)
_WHOLE_CHARS = 62  # the longest has so many
_BLANK = (
    "(?:name|date|city|town|company|product|location|address|number|title|topic|subject"
    "|e-?mail|phone|organi[sz]ation|person"
    "|country|year|amount|link|url|brand|event|place|time|details?|example|author|state"
    "|university|school|month|price|industry"
    "|job|position|recipient|sender|signature|website|source|region|department|team|role|text"
    "|query|document|passage|answer)"
)
_BLANK_JA = (
    "(?:お?名前|氏名|会社名|企業名|日付|都市名|地名|国名|製品名|商品名|住所|電話番号|人名"
    "|トピック|テーマ|主題|クエリ|タイトル|題名|場所"
    r"|作品名|著者名|url|リンク|団体名|組織名|学校名|大学名|数値|金額|年月日|具体例|例)"
)
_ANYWHERE = re.compile(
    r"\[\s*(?:(?:insert|enter|fill in|your|add)\b|ここに)[^\]\n]{2,60}\]"
    r"|\[\s*(?:todo|tbd|placeholder)\b[^\]\n]{0,60}\]"
    r"|[\[]\s*(?:(?:the|an?|your|full|first|last|specific|relevant|some|customer|client|user"
    f"|company|product|city)[ _])*{_BLANK}s?"
    rf"(?:[ _](?:name|here|of [^\]>\n]{{1,30}}|\d+))*\s*\]"
    r"|[［【（(\[<＜《{]\s*(?:ここに|あなたの|お客様の"
    r"|ご自身の)[^］】）)\]>＞》}\n]{1,60}[］】）)\]>＞》}]"
    rf"|[［【\[<＜{{]\s*(?:お客様の)?{_BLANK_JA}\s*[］】\]>＞}}]"
    r"|[（(［\[【][^（）()［］\[\]【】\n]{0,16}を?(?:入れる|入力|挿入|記入|追加)(?:する"
    r"|してください)?[）)］\]】]"
    r"|\((?:insert|enter|fill in|add|todo)\b[^()\n]{2,60}\)"
    r"|<\s*(?:insert|your)\s[^<>\n]{2,60}>|<<[^<>\n]{2,40}>>"
    r"|lorem ipsum dolor sit"
    rf"|\{{+\s*(?:{_FIELD})\s*\}}+"
    rf"|[\"'](?:{_FIELD})[\"']\s*:"
    r"|\[(?:[a-z]+[ _])?(?:tbd|todo)\b[^\]\n]{0,40}\]"
)
_CAPITALS = re.compile(r"\[[A-Z][A-Z _/-]{3,40}\]|\b[A-Z]{3,}_[A-Z_]{3,}\b|\bX{4,}\b")
# After a name only these are tags: `Rc<T>` and `Vec<String>` are types.
_TAGS = (
    "a|abbr|b|big|blockquote|body|br|button|center|cite|code|dd|div|dl|dt|em|font|form|h[1-6]|head"
    "|hr|html|i|iframe|img|input|kbd|label|li|link|meta|ol|p|pre|q|ref|s|script|section|small|span"
    "|strike|strong|style|sub|sup|table|tbody|td|th|thead|title|tr|tt|u|ul|var"
)
# Of a template, or of markup: the subject of pages on code, residue in any other.
_MARKUP = re.compile(
    r"\{\{[^{}\n]{0,80}\}\}|\{%[^%\n]{0,80}%\}|\$ ?\{\w+\}"
    r"|(?<![\\A-Za-z0-9^_}$])\{[^\W\d][\w ]{1,30}\}"
    rf"|(?:(?<![a-z0-9_:])<|<(?=/|(?:{_TAGS})\b))/?[^\W\d][\w:-]{{0,20}}(?: [^<>\n]{{0,60}})?/?>"
    r"|&(?:[a-z]{2,6}|#x?[0-9a-f]{2,5});"
    r"|\\[nrt](?![a-z])|\\u[0-9a-f]{4}"
    r"|(?<![\w%])%[sd]\b"
)
_GAPS = re.compile(
    "(?<![A-Za-z0-9_])_{4,}(?![A-Za-z0-9_])|＿{2,}|(?<![A-Za-z0-9])x{4,}(?![A-Za-z0-9])"
    "|(?<![a-z0-9])(?<!bowl )(?<!chapter )(?<!volume )(?<!part )(?<!the )xxx(?![a-z0-9]"
    r"| olymp)|xxx(?=[\u3041-\u30ff\u4e00-\u9fff])|(?<=[\u3041-\u30ff\u4e00-\u9fff])xxx"
    r"|(?<![一二三四五六七八九〇])[○◯〇△□×●▲]{2,}(?![一二三四五六七八九〇])"
)
# A gap that is asked about ("〇〇に入る言葉は", "○○とは何か"), or in the pattern of a name that is
# quoted as such (「○○学習会館」), stands for nothing.
_GAP_OF_ITS_OWN = re.compile(
    r"[○◯〇△□×●▲]{2,}[」』）)]?(?:に(?:入|当て?は|あては)|とは|は(?:何|なに|誰|どこ|いつ)|の(?:部分|中))"
    r"|[「『][^「」『』\n]{0,20}[○◯〇△□×●▲]{2,}[^「」『』\n]{0,20}[」』]"
)
_TECHNICAL = re.compile(
    r"templat|placeholder|jinja|mustache|handlebars|html|\bxml|\bcss\b|markup|markdown"
    r"|\bvariable|syntax|\btags?\b|\bstrings?\b|script"
    r"|\bcode\b|regex|regular expression|printf|python|\bjson\b|escape|\bshell\b|latex"
    r"|\belement|svg|formula"
    "|テンプレート|プレースホルダ|変数|タグ|構文"
    "|コード|プログラム|正規表現|文字列|スクリプト|模板|变量|标签|代码|空欄|穴埋め|伏せ字"
    r"|fill[- ]in|blanks?\b"
)
_BRACKETS = Signs(
    "[ < { ［ 【 ＜ 《 orem_ipsum (insert (enter (fill (add (todo 入れる 入力 挿入 記入 追加"
)
_MARKUP_SIGNS = Signs("{ < & \\ %s %d")
_GAP_SIGNS = Signs("xxx ＿ ○ ◯ 〇 △ □ × ● ▲")
# A query is too short to be a page about templates.
_IN_QUERY = re.compile(
    r"\{\{|\}\}|\{%|%\}|\b(?:user_query|positive_document|hard_negative_document)\b"
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that stands for one, or leaves a blank to fill in."""
    for side, text in sides(record):
        found = _placeholder(text, side, is_prose=side == "query" or record.label is None)
        if found is not None:
            return Reject(f"{side}_placeholder", f"the {side} holds {quote(found)}")
    return None


def _placeholder(text: str, side: Side, *, is_prose: bool) -> str | None:
    bare = text.strip().strip("\"'`“”「」*").strip().rstrip(".")
    if len(bare) <= _WHOLE_CHARS and (
        _WHOLE.fullmatch(bare) or (is_prose and _WHOLE_PROSE.fullmatch(bare))
    ):
        return text
    if _NOTHING.fullmatch(bare):
        return text
    line = lowered(text)
    found = _ANYWHERE.search(line) if _BRACKETS.are_in(line) or "_" in line else None
    if found is None and ("[" in text or "_" in text or "XXXX" in text):
        found = _CAPITALS.search(text)
    if found is None and side == "query":
        found = _IN_QUERY.search(text)
    found = found or _markup(line)
    return found.group() if found else None


def _markup(line: str) -> re.Match[str] | None:
    """What is residue unless the text is about templates or markup."""
    found = _MARKUP.search(line) if _MARKUP_SIGNS.are_in(line) else None
    if found is None and ("__" in line or _GAP_SIGNS.are_in(line)):
        found = None if _GAP_OF_ITS_OWN.search(line) else _GAPS.search(line)
    return None if found and _TECHNICAL.search(line) else found
