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
from generator.filters.signs import Signs
from generator.records import Record


def _any_of(forms: Mapping[str, tuple[str, ...]]) -> str:
    return "|".join(form for of_language in forms.values() for form in of_language)


_DECLINES = re.compile(rf"(?:{_any_of(OPENS)}|{_any_of(SPEAKS_AS_AI)})")
# Where a sentence begins. After a quotation mark it is quoted: who quotes the phrase writes of it.
_STARTS = re.compile(r"(?:^|(?<=[.!?。．！？।])\s*|\n\s*)(?=[^\W_])")
_OPENING_CHARS = 240
_SHORT_CHARS = 400
_SIGNS = Signs(
    """
    sorry afraid apolog unfortunately regret i_can i'm i’m i_am i_could i_won i_will i_would
    i_must i_have i_need i_do i_lack i_refuse i_decline i_was violate against harmful ethical
    appropriate responsible be_generated be_provided be_given be_fulfilled be_completed
    be_answered be_processed acceptable possible please could_you can_you _ai ai_ a.i. artificial
    language_model llm chatbot my_training my_knowledge my_guide my_last my_prog ません かね 控え
    応じ ポリシー ガイドライン 知識 学習 ａｉ aiと aiで aiな aiの aiア ai言 ai助 ai语 ai모 ai语言
    人工 言語モデル 抱歉 对不起 對不起 遗憾 遺憾 不好意思 无法 無法 不能 没有办法 违反 不符合 作为
    作為 我是 我只 身为 죄송 미안 유감 안타깝 인공 언어_모델 leid leider entschuld verzeih bedau
    ich_kann ich_darf _ki sprachmodell désol navr malheureus excuse qu'ia qu’ia tant_que siento
    lamento lament disculp perdón temo como_ desculp sinto infeliz peço dispiace scuso purtroppo
    spiacente come_ spijt helaas taalmodel przepra przykro niestety jako_ извин простит сожал
    прощени жаль ии языков искусств آسف أعتذر عذر للأسف المعذرة لا_أ لا_ي ذكاء نموذج ขอ เสียใจ
    ปัญญา โมเดล xin_lỗi tiếc nhân_tạo ngôn_ngữ maaf sayang sebagai üzgün özür maalesef ne_yazık
    yapay dil_model क्षमा माफ खेद
    """
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text in which the model refuses to write it."""
    for side, text in sides(record):
        if _declines(lowered(text)):
            return Reject(f"{side}_refusal", f"the {side} begins {quote(text)}")
    return None


def _declines(text: str) -> bool:
    opening = text if len(text) <= _SHORT_CHARS else text[:_OPENING_CHARS]
    if not _SIGNS.are_in(text, opening):
        return False
    return any(_DECLINES.match(opening, start.end()) for start in _STARTS.finditer(opening))
