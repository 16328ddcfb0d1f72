"""Requests as bytes and replies as completions."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from generator.llm.bodies import Dialect
from generator.llm.reasoning import without_thinking
from generator.llm.replies import completion
from generator.records import Message, Params, Prompt

SCHEMA = json.dumps({"type": "object", "properties": {"query": {"type": "string"}}})


def prompt(text: str = "write", schema: str = SCHEMA, **params: Any) -> Prompt:
    return Prompt("m", "d", "write", 0, (Message("user", text),), Params(**params), schema)


def refusal(status: int, message: str) -> openai.APIStatusError:
    request = httpx2.Request("POST", "http://host/v1")
    response = httpx2.Response(status, request=request)
    return openai.APIStatusError(message, response=response, body=None)


@pytest.mark.parametrize("text", ["plain", '"quoted"\n', "静かな川\U0001f600", "half \ud800 pair"])
def test_any_text_survives(text: str) -> None:
    """Japanese goes as UTF-8, a lone surrogate as an escape; the same prompt as the same bytes."""
    body = Dialect().body(prompt(text))
    assert json.loads(body)["messages"] == [{"role": "user", "content": text}]
    assert body == Dialect().body(prompt(text))
    assert b"\\u" not in body or "\ud800" in text


def test_more_of_a_body_goes_over_the_rest_and_null_takes_out() -> None:
    """`extra` is merged; the schema stands beside it, unless it brings its own format."""
    extra = json.dumps({"seed": None, "top_k": 20, "temperature": 0.1})
    body = json.loads(Dialect().body(prompt(extra=extra, stop=("END",))))
    assert "seed" not in body
    assert (body["top_k"], body["temperature"], body["stop"]) == (20, 0.1, ["END"])
    assert body["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    own = json.dumps({"response_format": {"type": "json_object"}})
    raw = Dialect().body(prompt(extra=own))
    assert raw.count(b"response_format") == 1
    assert json.loads(raw)["response_format"] == {"type": "json_object"}


def test_what_a_server_refuses_is_left_out_from_then_on() -> None:
    """`response_format`, and `max_tokens` for `max_completion_tokens`; each is worth one more."""
    dialect = Dialect()
    sent = dialect.body(prompt())
    unsupported = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    assert dialect.learn(refusal(400, unsupported), sent)
    body = json.loads(dialect.body(prompt(max_tokens=9)))
    assert (body.get("max_tokens"), body["max_completion_tokens"]) == (None, 9)
    assert dialect.learn(refusal(422, "response_format is not supported"), sent)
    plain = dialect.body(prompt())
    assert "response_format" not in json.loads(plain)
    assert not dialect.learn(refusal(422, "response_format is not supported"), plain)
    assert not dialect.learn(refusal(400, "the prompt is too long"), plain)
    assert not dialect.learn(refusal(500, "response_format"), sent)


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("hello", "hello", 0.0),
        ("<think>so</think>\n\nhello", "hello", 0.8),
        ("\n<thinking>so</thinking>hello", "hello", 0.83),
        ("so so</think>hello", "hello", 0.72),
        ("<think>cut off", "", 1.0),
        ("<think></think>", "", 1.0),
        ('{"a": "the mark </think> ends it"}', '{"a": "the mark </think> ends it"}', 0.0),
        ("", "", 0.0),
        ("<think>静かな</think>川", "川", 0.95),
    ],
)
def test_thinking_is_taken_off(text: str, answer: str, thought: float) -> None:
    """What stands between the marks, or before the closing one; never within an answer."""
    found, share = without_thinking(text)
    assert found == answer
    assert share == pytest.approx(thought, abs=0.03)


@pytest.mark.parametrize(
    ("message", "usage", "tokens"),
    [
        ({"content": "a"}, {"completion_tokens_details": {"reasoning_tokens": 70}}, 70),
        ({"content": "abcd", "reasoning_content": "abcd" * 3}, {}, 75),
        ({"content": "abcd", "reasoning": "abcd" * 3}, {}, 75),
        ({"content": "<think>" + "x" * 80 + "</think>abcdef"}, {}, 94),
        ({"content": "abcd", "reasoning_content": None}, {}, 0),
        ({"content": "a"}, {"completion_tokens_details": None}, 0),
        ({"content": "a"}, {"completion_tokens_details": {"reasoning_tokens": "x"}}, 0),
    ],
)
def test_thinking_is_counted(message: Any, usage: Any, tokens: int) -> None:
    """As the server counts it, else by its share of the characters."""
    usage = {"prompt_tokens": 5, "completion_tokens": 100, **usage}
    found = completion({"choices": [{"message": message}], "usage": usage})
    assert "x" not in found.text
    assert (found.completion_tokens, found.reasoning_tokens) == (100, tokens)


def test_tokens_from_a_cache_are_counted() -> None:
    """A part of the prompt's."""
    usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}}
    found = completion({"choices": [{"message": {"content": "a"}}], "usage": usage})
    assert (found.prompt_tokens, found.cached_tokens) == (9, 8)
