"""Passages for tests of rules: sound ones, English and Japanese, and others of the same region."""

from __future__ import annotations

OTHER = (
    "Granite from nearby quarries was shipped to London for bridges and kerbs. The trade peaked "
    "around 1900, when more than seven thousand people cut, polished or loaded stone."
)
DOCUMENT_JA = (
    "札幌の雪まつりは1950年に地元の高校生が六つの雪像を大通公園に作ったことから始まった。"
    "いまでは毎年二月に二百万人ほどが訪れ、自衛隊や市民の団体が大きな雪像を競って作る。"
)
OTHER_JA = "函館の朝市では新鮮ないかや昆布が売られ、観光客は釣ったばかりのいかをその場で味わえる。"
