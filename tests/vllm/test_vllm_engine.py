"""The engine itself, on the embedded model: what it is asked and what it answers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from conftest import CONTEXT, Session

from generator.errors import LLMError, RequestFailed
from generator.records import Completion, Message, Params, Prompt

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "angry"]}, "text": {"type": "string"}},
    "required": ["mood", "text"],
    "additionalProperties": False,
}
SHOTS = (
    Message("user", "Write about: rain"),
    Message("assistant", '{"mood": "calm", "text": "The rain fell on the roof all night."}'),
    Message("user", "Write about: a late train"),
    Message("assistant", '{"mood": "angry", "text": "Nobody told us that the train was late."}'),
    Message("user", "Write about: a cat that comes home in the morning"),
    Message("assistant", '{"mood": "calm", "text": "She stepped over the sill and slept."}'),
)  # above 128 tokens: a block of the cache on a CPU
TOPICS = ["tea", "a broken bicycle", "the sea", "a neighbour who plays the drums", "bread"]


def prompt(topic: str, *, schema: str = json.dumps(SCHEMA), **params: Any) -> Prompt:
    params = {"temperature": 0.0, "max_tokens": 48, **params}
    messages = (*SHOTS, Message("user", f"Write about: {topic}"))
    return Prompt("smollm2", "d", "s", 0, messages, Params(**params), schema)


def test_answers_fit_their_schema_and_are_counted(session: Session) -> None:
    asked = [prompt(t, temperature=0.8, seed=n, max_tokens=200) for n, t in enumerate(TOPICS * 4)]
    answers = session.ask(*asked)
    for answer in answers:
        if answer.finish_reason == "stop":
            reply = json.loads(answer.text)
            assert list(reply) == ["mood", "text"]
            assert reply["mood"] in {"calm", "angry"}
        else:
            assert (answer.finish_reason, answer.completion_tokens) == ("length", 200)
        assert re.match(r'\{"mood": ?"\w', answer.text)  # no more blanks than one
        assert answer.prompt_tokens > 60
        assert 0 < answer.completion_tokens <= 200
        assert answer.latency_s > 0
    assert sum(answer.finish_reason == "stop" for answer in answers) > 15
    assert sum(answer.cached_tokens for answer in answers) > 0  # the shared turns, computed once


def test_a_seed_gives_its_answer(session: Session) -> None:
    asked = [
        prompt("the sea", schema="", temperature=1.0, max_tokens=12, seed=s) for s in (1, 1, 2)
    ]
    first, second, third = (session.ask(p)[0].text for p in asked)
    assert first == second != third


def test_a_prompt_is_rendered_as_the_model_was_trained(session: Session) -> None:
    async def tokens() -> str:
        tokenizer = (await session.llm._started()).get_tokenizer()
        return tokenizer.decode(await session.llm._tokens(tokenizer, prompt("tea")))

    text = session.runner.run(tokens())
    assert text.startswith("<|im_start|>system\n")
    assert text.endswith("<|im_start|>user\nWrite about: tea<|im_end|>\n<|im_start|>assistant\n")
    (answer,) = session.ask(prompt("tea", schema="", max_tokens=60))
    assert "<|im_end|>" not in answer.text


def test_stop_words_and_other_sampling_reach_the_engine(session: Session) -> None:
    (answer,) = session.ask(prompt("bread", schema="", max_tokens=60, stop=('"text"',)))
    assert '"mood"' in answer.text
    assert '"text"' not in answer.text
    only = '{"allowed_token_ids": [28]}'
    (answer,) = session.ask(prompt("bread", schema="", max_tokens=5, extra=only))
    assert len(set(answer.text)) == 1
    with pytest.raises(LLMError) as caught:
        session.ask(prompt("bread", extra='{"no_such_key": 1}'))
    assert "llm.extra_body" in caught.value.hint


def test_a_short_answer_does_not_wait_for_long_ones(session: Session) -> None:
    order: list[str] = []

    async def one(name: str, asked: Prompt) -> Completion:
        answer = await session.llm.complete(asked)
        order.append(name)
        return answer

    async def go() -> list[Completion]:
        free = '{"ignore_eos": true}'
        long = [prompt(t, schema="", max_tokens=300, extra=free) for t in TOPICS]
        short = [prompt(t, schema="", max_tokens=4, extra=free) for t in TOPICS * 3]
        return await asyncio.gather(
            *(one("long", p) for p in long), *(one("short", p) for p in short)
        )

    answers = session.runner.run(go())
    assert order == ["short"] * 15 + ["long"] * 5  # twenty requests, eight rows
    assert [a.completion_tokens for a in answers] == [300] * 5 + [4] * 15


def test_a_reply_that_loops_is_cut_off_and_leaves_the_engine(session: Session) -> None:
    only = '{"allowed_token_ids": [28], "ignore_eos": true}'
    looping = [prompt(t, schema="", max_tokens=900, extra=only) for t in TOPICS * 2]
    *cut, whole = session.ask(*looping, prompt("tea", max_tokens=300))
    assert {answer.finish_reason for answer in cut} == {"repetition"}
    assert {answer.completion_tokens for answer in cut} <= set(range(256, 400))
    assert whole.finish_reason == "stop"
    assert json.loads(whole.text)["text"]


def test_a_prompt_that_is_too_long_fails_alone(session: Session) -> None:
    async def both() -> list[Any]:
        asked = (prompt("tea " * CONTEXT), prompt("tea"))
        return await asyncio.gather(
            *(session.llm.complete(p) for p in asked), return_exceptions=True
        )

    failed, answer = session.runner.run(both())
    assert isinstance(failed, RequestFailed)
    assert failed.reason == "prompt_too_long"
    assert "llm.vllm.max_model_len" in failed.detail
    assert answer.text


def test_an_answer_ends_where_the_context_does(session: Session) -> None:
    asked = prompt(
        "tea " * (CONTEXT - 200), schema="", max_tokens=2048, extra='{"ignore_eos": true}'
    )
    (answer,) = session.ask(asked)
    assert answer.finish_reason == "length"
    assert answer.prompt_tokens + answer.completion_tokens == CONTEXT


def test_a_cancelled_request_leaves_the_engine(session: Session) -> None:
    async def go() -> Completion:
        free = '{"ignore_eos": true}'
        long = [
            asyncio.create_task(
                session.llm.complete(prompt(t, schema="", max_tokens=800, extra=free))
            )
            for t in TOPICS * 4
        ]
        # Without a schema: while its grammar is made the others would take all rows, for long.
        first = await session.llm.complete(prompt("tea", schema="", max_tokens=4))
        for task in long:
            task.cancel()
        ended = await asyncio.gather(*long, return_exceptions=True)
        assert [type(e) for e in ended] == [asyncio.CancelledError] * len(long)
        assert first.completion_tokens == 4
        return await session.llm.complete(prompt("tea"))

    assert session.runner.run(go()).text


def test_a_schema_that_is_none_stops_the_run(session: Session) -> None:
    with pytest.raises(LLMError) as caught:
        session.ask(prompt("tea", schema='{"type": "nonsense"}'))
    assert "tasks.yaml" in caught.value.hint
    assert session.ask(prompt("tea"))[0].text
