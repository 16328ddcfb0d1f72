"""Insults, threats and slurs: query_toxic, positive_toxic, negative_toxic. Off unless asked for.

A list of words and phrases that hardly have another use, in a few languages. It finds abuse that is
plain in its words; for the rest ask a classifier or a judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, lowered, quote, sides
from generator.records import Record

# Whole words, whatever follows ("fucking"): spaced scripts.
_WORDS = (
    r"fuck\w*|motherfuck\w*|cunts?|bitch(?:es|y)?|assholes?|arseholes?|wankers?|shitheads?|bullshit"
    r"|dickheads?|whores?|sluts?|faggots?|fags|nigg(?:er|a)s?|kikes?|spics?|chinks|retard(?:s|ed)?"
    r"|trann(?:y|ies)|subhumans?|untermensch\w*"
    r"|arschl(?:och|öcher)|fotzen?|wichser|hurensohn|missgeburt(?:en)?|verfickt\w*|schlampen?"
    r"|connards?|connasses?|salopes?|encul[ée]s?|putes?|pédés?|bougnoules?"
    r"|puta|putas|hijos? de puta|maric(?:ón|ones)|coño|gilipollas|pendejos?|cabr(?:ón|ones)"
    r"|stronz[oaie]|vaffanculo|puttan[ae]|cazzo|caralho|filho da puta|viado"
    r"|сука|суки|бляд\w*|пид(?:ор|ар)\w*|хуй\w*|ебан\w*|мраз(?:ь|и)"
)
_PHRASES = (
    r"(?:deserve|ought|should|hope \w+|going|want \w+)(?: all)? to die|kill (?:yourself"
    "|them all|all of them)"
    "|i(?:['’]ll| will) kill you|(?:filthy|worthless|disgusting) (?:vermin|scum|animals|pigs"
    "|idiots?)"
    "|(?:stupid|fucking|worthless) (?:idiot|moron|bitch|bastard)s?|shut up,? you|go to hell"
    "|piece of shit"
    r"|gas the \w+|hang them all"
)
# Unspaced scripts have no words to bound: phrases that are abuse as they stand.
_UNSPACED = (
    "死ね(?:よ|や|ば|[。！!、]|$)|ぶっ?殺(?:す|して)|殺すぞ|皆殺し(?:に(?:しろ|せよ|してやる))"
    "|クズ(?:野郎|ども|は|め|が)|クソ(?:野郎|女|ガキ)"
    "|くそったれ|バカ(?:女|野郎|ども)|馬鹿野郎|ゴミ(?:ども|人間|クズ)|(?:あいつら|お前ら?"
    "|こいつら)[^。]{0,6}(?:ゴミ|クズ|虫けら)"
    "|キチガイ|きちがい|気違い|(?:この|黙れ)[、 ]?(?:ブス|デブ|ハゲ|カス)|ブス(?:女|が|め)"
    "|消え失せろ|チョン(?:ども|が|は)|土人ども|ヤリマン"
    r"|傻[逼屄]|操你|他妈的|妈的|滚蛋|去死|贱人|婊子|畜生|王八蛋|杂种|废物东西"
    r"|씨발|시발|개새끼|병신|좆|지랄|미친년|미친놈|꺼져"
    r"|كس أمك|ابن الكلب|ابن الشرموطة|شرموطة|عاهرة|يا حيوان|ไอ้สัตว์|ไอ้เหี้ย|อีดอก|ควย"
)
_TOXIC = re.compile(rf"\b(?:{_WORDS})\b|\b(?:{_PHRASES})|{_UNSPACED}")


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that insults or threatens."""
    for side, text in sides(record):
        found = _TOXIC.search(lowered(text))
        if found:
            return Reject(f"{side}_toxic", quote(found.group()))
    return None
