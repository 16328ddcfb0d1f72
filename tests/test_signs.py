"""Signs: looked for word by word, they are found exactly where a plain search finds them."""

from __future__ import annotations

import pytest

from generator.filters import boilerplate, meta_talk, placeholder, refusal
from generator.filters.signs import Signs

SIGNS = Signs("newsletter sign_up _ai ai_ (c) <| 登録 メール aiの i’m désol ー:")
TEXTS = (
    "subscribe to our newsletters", "please sign up", "design upon", "an ai is", "the aim",
    "rai is", "(c) 2020", "x<|end|>", "会員登録はこちら", "メルマガ", "aiのこと", "openaiの話",
    "i’m here", "i'm here", "désolé", "desole", "ユーザー: はい", "ユーザ: はい", "", " ", "ai",
    "sign\nup", "無料登録sign up", "日本語のai is here", "日本語 ai", "für ai ", "\x00 ai\x00",
    "x" * 5000 + "newsletter",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_signs_are_found_where_a_plain_search_finds_them(text: str) -> None:
    """In the text and in a part of it; signs beyond ASCII are not looked for in ASCII texts."""
    signs = ["newsletter", "sign up", " ai", "ai ", "(c)", "<|"]
    signs += ["登録", "メール", "aiの", "i’m", "désol", "ー:"]
    assert SIGNS.are_in(text) == any(sign in text for sign in signs)
    assert SIGNS.are_in(text, text[2:9]) == any(sign in text[2:9] for sign in signs)


@pytest.mark.parametrize("module", [boilerplate, meta_talk, placeholder, refusal])
def test_every_sign_of_the_rules_is_found(module: object) -> None:
    """Within a text, at either end, and after many words that were never seen before."""
    unseen = " ".join(f"w{number}" for number in range(40_000))
    for name, signs in vars(module).items():
        if isinstance(signs, Signs):
            for sign in signs:
                assert signs.are_in(f"abc{sign}xyz"), (name, sign)
                assert signs.are_in(f"für {sign} 今"), (name, sign)
                assert signs.are_in(sign), (name, sign)
            assert not signs.are_in(unseen)
