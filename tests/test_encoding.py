"""Prompts of a local engine → tokens: together, beside the event loop, each to whom it belongs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from generator.llm.encoding import Encoder

WORDS = ["tea", "rain", "茶", "雨", "<unk>", "<s>"]


def tokenizer() -> Any:
    """Of words; it would put a special token before a text."""
    inner = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", unk_token="<unk>")


class Watched:
    """A tokenizer that notes how many texts it gets at once, and in which thread."""

    def __init__(self) -> None:
        self.inner = tokenizer()
        self.sizes: list[int] = []
        self.threads: set[int] = set()

    def __call__(self, texts: list[str], **options: Any) -> Any:
        """As the tokenizer."""
        self.sizes.append(len(texts))
        self.threads.add(threading.get_ident())
        if "no such text" in texts:
            message = "cannot encode"
            raise ValueError(message)
        return self.inner(texts, **options)


def test_each_gets_its_own_tokens_and_all_are_encoded_together() -> None:
    watched = Watched()
    encoder = Encoder(watched)
    texts = [" ".join(WORDS[k % 4] for k in range(n)) for n in range(200)]

    async def all_of_them() -> list[list[int]]:
        return await asyncio.gather(*(encoder.encode(text) for text in texts))

    assert asyncio.run(all_of_them()) == [[k % 4 for k in range(n)] for n in range(200)]
    assert len(watched.sizes) < 10
    assert sum(watched.sizes) == 200
    assert threading.get_ident() not in watched.threads


def test_a_text_that_comes_later_is_encoded_too() -> None:
    async def one_by_one() -> list[list[int]]:
        encoder = Encoder(tokenizer())
        return [await encoder.encode(text) for text in ("tea", "雨 茶", "")]

    assert asyncio.run(one_by_one()) == [[0], [3, 2], []]


def test_who_gives_up_keeps_nobody_waiting() -> None:
    async def go() -> list[int]:
        encoder = Encoder(tokenizer())
        first = asyncio.create_task(encoder.encode("tea"))
        await asyncio.sleep(0)
        second = asyncio.create_task(encoder.encode("rain"))
        first.cancel()
        return await second

    assert asyncio.run(go()) == [1]


def test_an_error_is_told_to_all_that_wait_and_ends_nothing() -> None:
    async def go() -> list[int]:
        encoder = Encoder(Watched())
        with pytest.raises(ValueError, match="cannot encode"):
            await encoder.encode("no such text")
        return await encoder.encode("tea")

    assert asyncio.run(go()) == [0]
