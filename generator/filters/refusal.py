"""The model declined: query_refusal, positive_refusal, negative_refusal.

A refusal opens the text or one of its first sentences, in any of some twenty languages whatever the
record's own. An apology alone is no refusal (customers and shops apologise), nor is a text about
AI: the speaker must be the model, or what it cannot do must be what models are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, lowered, quote, sides
from generator.filters.refusal_forms import OPENS, SPEAKS_AS_AI
from generator.records import Record


def _any_of(forms: Mapping[str, tuple[str, ...]]) -> str:
    return "|".join(form for of_language in forms.values() for form in of_language)


_DECLINES = re.compile(rf"(?:{_any_of(OPENS)}|{_any_of(SPEAKS_AS_AI)})")
# Where a sentence begins. After a quotation mark it is quoted: who quotes the phrase writes of it.
_STARTS = re.compile(r"(?:^|(?<=[.!?。！？।])\s*|\n\s*)(?=[^\W_])")
_OPENING_CHARS = 240
_SHORT_CHARS = 400
# One of these is in every form; finding none of them is fast, and nearly every text has none.
_SIGNS = re.compile(
    r"\bsorry|afraid|apolog|unfortunately|regret|\bi(?:['’]m| am)? (?:can|could|won|will not|would|not |unable|must|have "
    r"(?:to|no)|need to|do|lack|refuse|decline|simply|just|forbidden|was )|violate|against|harmful|ethical|appropriate"
    r"|can be (?:gen|prov|giv)|could be (?:gen|prov|giv)|please|could you|can you|\bai\b|a\.i\.|artificial|language model"
    r"|llm|chatbot|program|assistant|my (?:training|knowledge|guide|last)|not be (?:fulf|compl|answ|proc)|acceptable|possible"
    r"|ません|かね|控え|応じ|ポリシー|ガイドライン|知識|学習|ａｉ|人工|言語モデル|抱歉|对不起|對不起|遗憾|不好意思|无法|不能|违反|不符合"
    r"|作为|作為|我是|我只|身为|죄송|미안|유감|안타깝|인공|언어 모델|leid|leider|entschuld|verzeih|bedau|ich kann|ich darf|ki\b"
    r"|sprachmodell|désol|navr|malheureus|excuse|tant que?|siento|lamento|lament|disculp|perdón|temo|como |desculp|sinto|infeliz"
    r"|peço|dispiace|scuso|purtroppo|spiacente|come |spijt|helaas|taalmodel|przepra|przykro|niestety|jako |извин|простит|сожал"
    r"|прощени|жаль|искусств|языков|آسف|أعتذر|عذر|للأسف|المعذرة|لا أ|لا ي|ذكاء|نموذج|ขอ|เสียใจ|ปัญญา|โมเดล|xin lỗi|tiếc|nhân tạo"
    r"|ngôn ngữ|maaf|sayang|sebagai|üzgün|özür|maalesef|ne yazık|yapay|dil model|क्षमा|माफ|खेद"
)  # fmt: skip


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text in which the model refuses to write it."""
    for side, text in sides(record):
        if _declines(lowered(text)):
            return Reject(f"{side}_refusal", f"the {side} begins {quote(text)}")
    return None


def _declines(text: str) -> bool:
    opening = text if len(text) <= _SHORT_CHARS else text[:_OPENING_CHARS]
    if not _SIGNS.search(opening):
        return False
    return any(_DECLINES.match(opening, start.end()) for start in _STARTS.finditer(opening))
