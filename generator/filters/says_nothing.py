"""A text that could be about anything: query_says_nothing, positive_…, negative_says_nothing.

"There are many aspects, and each of them is important." What is left of a text without function
words and the words that fit any subject is a small share of it; of a query, nothing is left.
English, Japanese and Chinese; other languages pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.content import content_words
from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record
from generator.text import used_chars, word_count

_GENERIC = frozenset(
    content_words(
        """
        thing something anything everything topic subject matter issue point aspect way kind sort
        type reason fact idea concept example case situation part area factor element detail
        information content text passage document query question answer search result user article
        paragraph sentence description explanation important importance significant significance
        essential crucial key vital necessary interesting useful helpful relevant various
        different several certain specific particular general overall common many lot number range
        variety great big little well advantage disadvantage benefit drawback pros cons consider
        understand understanding think thought know knowledge learn mean meaning say tell talk
        discuss describe explain look see feel believe depend matter exist happen work help need
        want try include involve remember note mind individual everyone everybody somebody anyone
        always never often sometimes usually generally really simply quite rather even still
        however therefore moreover furthermore additionally finally conclusion addition also
        instance etc forth blah lorem ipsum good bad better best right wrong possible able worth
        find found keep come go become same difference similar another own place time life world
        day today year society stuff more most regard respect term basis approach hello hi please
        thank
        """
    )
)
# Words of Japanese that fit any subject: content that is written in Han characters or katakana.
_GENERIC_JA = re.compile(
    "重要|大切|大事|必要|不可欠|興味深|様々|色々|多様|多[くい]|人々|人|方法|手段|側面|局面"
    "|観点|視点|理由|原因|要因|理解|考[えa]|注意|点|状況|場合|結局|結果"
    "|一般的?|普通|物事|事柄|事|問題|話題|主題|情報|内容|文章|文書|質問|回答|詳[しa]?|説明|例"
    "|意味|意見|自分|皆|誰|何|全体?|部分|一つ|二つ|良[いく]|悪[いく]|面"
    "|利点|欠点|長所|短所|合[っう]|見[つける]*|知[るりっ]|異|違[いう]|特[に定]|存在|場所|時間?"
    "|今|後|前|中|上|下|言[えいわ]|思[いうわ]|出来|行[いうわっ]|持[つちっ]"
    "|使[いうわっ]|役立?|関[しす]|対|通|以下|以上|次|他|別|同[じ様]|各|毎|常|実際|現在|最近"
    "|社会|世界|生活|検索|クエリ|トピック|テーマ|ポイント|メリット|デメリット"
    "|アスペクト|ケース|パターン|タイプ|教|話|答[え]?|述|挙|得|得られ|大き|小さ|高|低|新|古"
    "|非常|本当|可能|性|的|化|感|気"
)
_GENERIC_ZH = re.compile(
    "重要|非常|十分|很多|许多|各种|不同|方面|方法|方式|原因|理由|问题|情况|事情|东西|人们|大家"
    "|每个|需要|应该|可以|能够|了解|理解|考虑|认为|知道|信息|内容|话题|主题|文章|例子"
    "|好处|坏处|优点|缺点|有趣|意义|意味着|总之|一般|通常|来说|这个|那个|一个|这些|那些|什么"
    "|关于|详细|更多|查询|回答"
)
_CONTENT_CJK = re.compile("[\u4e00-\u9fff々]+|[\u30a1-\u30fa\u30fc]{2,}|[A-Za-z0-9０-９]+")
_CONTENT_CHAR = re.compile("[\u4e00-\u9fff\u30a1-\u30fa]")
_MIN_WORDS, _MAX_WORDS = 12, 160


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    min_specific: float = 0.1,
    query_min_specific: int = 1,
) -> Reject | None:
    """Reject a document of whose words fewer than `min_specific` tell what it is about, 0 to 1.

    In Japanese and Chinese the share is of characters. `query_min_specific`: the fewest such words
    of a query; 0 where texts may say "what is this?".
    """
    for side, text, language in prose_sides(record):
        if language not in {"en", "ja", "zh"}:
            continue
        if side == "query":
            if query_min_specific and _specific(text, language) < query_min_specific:
                return Reject("query_says_nothing", quote(text))
            continue
        words = word_count(text)
        if words > _MAX_WORDS or words < _MIN_WORDS:
            continue
        size = words if language == "en" else len(text)
        if _says_enough(text, language, min_specific * size):
            continue
        share = _specific(text, language) / size
        if share < min_specific:
            return Reject(f"{side}_says_nothing", f"{share:.0%} of it says what: {quote(text)}")
    return None


def _says_enough(text: str, language: str, least: float) -> bool:
    """Whether a look at the beginning, or at the characters used, shows that it says enough."""
    if language == "en":
        return len(set(content_words(text, int(2 * least) + 8)) - _GENERIC) >= least
    return len(_CONTENT_CHAR.findall(used_chars(text))) > 2.5 * least


def _specific(text: str, language: str) -> int:
    """Different words that fit no other subject; in Japanese and Chinese characters of them."""
    if language == "en":
        return len({word for word in content_words(text) if word not in _GENERIC})
    generic = _GENERIC_JA if language == "ja" else _GENERIC_ZH
    left = generic.sub(" ", text)
    return sum(map(len, set(_CONTENT_CJK.findall(left))))
