"""The model declined: query_refusal, positive_refusal, negative_refusal.

A refusal opens the text, or a sentence that says "as an AI, I …" opens in it. An apology alone is
no refusal (customers and shops apologise), nor is a text about AI: the speaker must be the model,
or what it cannot do must be what it was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, quote, sides
from generator.records import Record

_CANNOT = r"i (?:can['’]?t|can ?not|am unable to|am not able to|won['’]t|must decline to)"
_SORRY = (
    r"(?:(?:i['’]m|i am) (?:very |so |really |truly )?(?:sorry|afraid)|sorry|my apologies"
    r"|i apologi[sz]e)[,.;:]? (?:but )?(?:as an? [\w ]{2,40}, )?"
)
# What a model is asked for; a customer who "can't accept this" or "can't write to you" stays.
_ASKED = (
    r"(?:assist\b|comply\b|fulfil|help (?:you )?with (?:that|this|your)"
    r"|(?:provide|generate|create|write|produce|answer|continue|engage|complete|do)"
    r" (?:with |in |you )*(?:that|this|such|any|the request|content|explicit|harmful"
    r"|inappropriate|offensive|misleading|false)\b)"
)

# How refusals open, by language. One entry is one form; all are matched without case.
_OPENINGS: dict[str, tuple[str, ...]] = {
    "en": (
        f"{_SORRY}{_CANNOT} {_ASKED}",
        rf"{_CANNOT} (?:assist (?:you )?with|comply with|fulfil+) (?:that|this|your|the|such)\b",
        r"i['’]m (?:unable|not able) to (?:assist|comply|fulfil+|help (?:you )?with)\b",
    ),
    "ja": (
        (
            r"(?:大変)?(?:申し訳(?:ありません|ございません|ない)(?:です)?(?:が|けれど)|すみませんが|残念ながら)"
            r"[、, ]?[^。\n]{0,30}(?:リクエスト|要求|要望|依頼|質問|指示|コンテンツ)[^。\n]{0,30}"
            r"(?:できません|できかねます|いたしかねます|出来ません|応じられません|答えられません)"
        ),
        (
            r"(?:大変)?申し訳(?:ありません|ございません)が[、, ]?(?:お手伝い|お答え|回答|生成)"
            r"[^。\n]{0,12}(?:できません|できかねます|いたしかねます)"
        ),
        (
            r"(?:私は)?(?:AI|ＡＩ|人工知能|(?:大規模)?言語モデル)(?:言語)?(?:アシスタント|モデル)?"
            r"(?:として(?:は)?|なので|ですので|であるため)[、,](?:私|その|お答え|個人的)"
        ),
    ),
    "zh": (
        (
            r"(?:很|非常)?(?:抱歉|对不起|對不起)[，,] ?(?:但)?我(?:无法|無法|不能)"
            r"(?:提供|协助|協助|回答|生成|完成|满足|帮)"
        ),
        (
            r"(?:作为|作為)(?:一个|一個|一名)?(?:AI|人工智能|人工智慧)(?:语言模型|語言模型|助手|模型)?"
            r"[，,] ?我"
        ),
    ),
    "ko": (r"죄송(?:하지만|합니다만)[, ]+(?:그|이|해당|요청)[^.\n]{0,30}수 없습니다",),
    "es": (r"lo siento, (?:pero )?no puedo (?:ayudar|asistir|cumplir|generar|proporcionar)",),
    "fr": (
        r"(?:je suis )?désolée?, (?:mais )?je ne peux pas (?:vous aider|répondre|générer|fournir)",
    ),
    "de": (
        (
            r"es tut mir leid, (?:aber )?(?:dabei )?(?:ich kann|kann ich) [^.\n]{0,40}nicht "
            r"(?:helfen|erfüllen|erstellen)"
        ),
    ),
}
_OPENS = re.compile(
    r"\W*(?:" + "|".join(form for forms in _OPENINGS.values() for form in forms) + ")",
    re.IGNORECASE,
)
# After a sentence's end and no quotation mark: who quotes the phrase writes about it.
_SPEAKS_AS_AI = re.compile(
    r"(?:^|[.!?。]\s+|\n)as an? (?:ai|artificial intelligence|large language model)"
    r"(?: language model| model| assistant| chatbot)*,? (?:i|my)\b",
    re.IGNORECASE,
)
# What follows "as a" or "as an" there begins with one of these letters.
_AS_AI = ("as a a", "as an a", "as a l", "as an l")


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text in which the model refuses to write it."""
    for side, text in sides(record):
        if _OPENS.match(text) or _speaks_as_ai(text):
            return Reject(f"{side}_refusal", f"the {side} begins {quote(text)}")
    return None


def _speaks_as_ai(text: str) -> bool:
    lowered = text.lower()
    return any(start in lowered for start in _AS_AI) and bool(_SPEAKS_AS_AI.search(text))
