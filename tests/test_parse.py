"""Parsing: no text makes it raise or stall; what it gives is a reply or a known reason."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.families import ReplyField
from generator.parse import MAX_ANSWER_CHARS, Unparsed, parse_reply, parse_tasks

REPLY_REASONS = {
    "answer_empty",
    "answer_too_long",
    "answer_truncated",
    "no_json_object",
    "field_missing",
    "field_not_text",
    "field_not_allowed",
}
TASK_REASONS = {"answer_empty", "answer_too_long", "no_task_list"}
FIELDS = {"user_query": ReplyField(), "text": ReplyField()}
GOOD = '{"user_query": "a b", "text": "c"}'
READ = {"user_query": "a b", "text": "c"}

# Texts that look like JSON for a while, beside any text at all.
JSON_LIKE = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"', "'", ":", ",", "user_query", "text", "\\", "\n", "```", "json",
         "<think>", "</think>", "null", "1e999", "\x00", "\ud800", "日本", "- ", "1. ", "“", "//"]
    ),
    max_size=60,
).map("".join)  # fmt: skip
ANY = st.text(st.characters(), max_size=300) | JSON_LIKE


@given(ANY, st.booleans())
@example("\ud83d", False)
@example('{"user_query": "\\ud800", "text": "\\u0000"}', False)
def test_any_text_gives_a_reply_or_a_known_reason(text: str, truncated: bool) -> None:
    """A reply holds every field, stripped, and can be stored as UTF-8."""
    reply = parse_reply(text, FIELDS, cut="answer_truncated" if truncated else "")
    if isinstance(reply, Unparsed):
        assert reply.reason in REPLY_REASONS
        reply.detail.encode()
        return
    assert reply.keys() == FIELDS.keys()
    for value in reply.values():
        value.encode()
        assert value == value.strip()
        assert "\x00" not in value


@given(ANY, st.booleans())
@example('["\\ud800"]', False)
def test_any_text_gives_tasks_or_a_known_reason(text: str, truncated: bool) -> None:
    """Tasks are distinct, none is empty, and all can be stored as UTF-8."""
    tasks = parse_tasks(text, truncated=truncated)
    if isinstance(tasks, Unparsed):
        assert tasks.reason in TASK_REASONS
        return
    assert tasks
    assert len(set(tasks)) == len(tasks)
    for task in tasks:
        task.encode()
        assert task == task.strip() != ""


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}",
        f"Here you are:\n{GOOD}\nI hope that {{helps}}!",
        f"A set {{a, b}} first. {GOOD}",
        f'{{"other": 1}} {GOOD}',
        f"[{GOOD}]",
        f"<think>Say {{so}}.</think>{GOOD}",
        f"Reasoning without its mark</think>\n{GOOD}",
        f'<think>{{"user_query": "draft", "text": "x"}}</think>\n<think>b</think>{GOOD}',
        f"<thinking>{GOOD.replace('a b', 'draft')}</thinking>{GOOD}",
        '{"user_query": "a b", "text": "c",}',
        "{'user_query': 'a b', 'text': 'c'}",
        '{"user_query": "a b", "text": "c"',
        '{"user_query": "a b", "text": "c',
        '{user_query: "a b", text: "c"}',
        '{"User Query": "a b", "TEXT": "c"}',
        '{"user-query": "a b", "Text": "c"}',
        '{"userQuery": "a b", "text": "c"}',
        '{"user_query": " a b\\n", "text": "c\\u0000"}',
        '{"user_query": "a b", "text": "c", "remark": ["x"]}',
        '{"UserQuery": "x", "user_query": "a b", "text": "c", "userQuery": "y"}',
        '\ufeff{"user_query": "a b", "text": "c"}',
    ],
)
def test_what_models_write_around_and_in_json_is_read(answer: str) -> None:
    """One reply, however it was dressed."""
    assert parse_reply(answer, FIELDS) == READ


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", Unparsed("answer_empty")),
        (" \n\x00", Unparsed("answer_empty")),
        ("<think>and then", Unparsed("answer_empty", "<think>and then")),
        (f"<think>{GOOD}", Unparsed("answer_empty", f"<think>{GOOD}")),
        ("I cannot do that.", Unparsed("no_json_object", "I cannot do that.")),
        ('["a", "b"]', Unparsed("no_json_object", '["a", "b"]')),
        ('{"text": "c"}', Unparsed("field_missing", "user_query")),
        ('{"user_query": null, "text": "c"}', Unparsed("field_missing", "user_query")),
        ('{"user_query": ["a"], "text": "c"}', Unparsed("field_not_text", "user_query: list")),
        ('{"user_query": true, "text": "c"}', Unparsed("field_not_text", "user_query: bool")),
        ("x" * 200_001, Unparsed("answer_too_long", "200001 characters")),
    ],
)
def test_what_is_no_reply_has_its_reason(answer: str, expected: Unparsed) -> None:
    """With a detail for the reader."""
    assert parse_reply(answer, FIELDS) == expected


def test_numbers_are_texts() -> None:
    """Small models leave the quotes out."""
    assert parse_reply('{"user_query": 7, "text": 2.5}', FIELDS) == {
        "user_query": "7",
        "text": "2.5",
    }


def test_a_choice_must_be_one_of_its_values() -> None:
    """No other text is taken for it."""
    fields = {"label": ReplyField(one_of=("yes", "no"))}
    assert parse_reply('{"label": " yes "}', fields) == {"label": "yes"}
    assert parse_reply('{"label": "maybe"}', fields) == Unparsed(
        "field_not_allowed", "label: maybe"
    )


def test_field_names_of_other_scripts_are_told_apart() -> None:
    """Not all names reduce to ASCII letters."""
    fields = {"質問": ReplyField(), "文書": ReplyField()}
    answer = '{"質問": "川はどこですか", "文書": "川は森にあります。"}'
    assert parse_reply(answer, fields) == {
        "質問": "川はどこですか",
        "文書": "川は森にあります。",
    }


def test_a_text_may_speak_of_the_tag_that_ends_thinking() -> None:
    """An answer that begins with JSON is not thought."""
    answer = '{"user_query": "what is </think>", "text": "c"}'
    assert parse_reply(answer, FIELDS) == {"user_query": "what is </think>", "text": "c"}


def test_a_truncated_answer_is_taken_only_when_its_object_is_whole() -> None:
    """Else its last text is cut, and repair would hide that."""
    cut = '{"user_query": "a b", "text": "c and th'
    assert parse_reply(cut, FIELDS, cut="answer_truncated") == Unparsed("answer_truncated", cut)
    assert parse_reply(cut, FIELDS) == {"user_query": "a b", "text": "c and th"}
    assert parse_reply(f"{GOOD} And now I w", FIELDS, cut="answer_truncated") == READ
    assert parse_reply("```json\n{", FIELDS, cut="answer_truncated") == Unparsed(
        "answer_truncated", "```json\n{"
    )


def test_an_escaped_half_of_a_character_does_not_stay() -> None:
    """A lone surrogate becomes U+FFFD; a pair becomes its character."""
    answer = '{"user_query": "a\\ud800b", "text": "\\ud83d\\ude00"}'
    assert parse_reply(answer, FIELDS) == {"user_query": "a\ufffdb", "text": "😀"}


@pytest.mark.parametrize(
    "answer",
    [
        '{"tasks": ["Find a.", "Find b."]}',
        '["Find a.", "Find b."]',
        '["Find a.", "Find b.", " Find a. ", "", 3]',
        'Sure: {"list": ["Find a.", "Find b."]}',
        "- Find a.\n- Find b.",
        "Tasks:\n1. Find a.\n2) Find b.\nDone.",
        "* Find a.\n\n* Find b.\n",
        '{"tasks": ["Find a.", "Find b."',
        "<think>[1]</think>['Find a.', 'Find b.']",
        '{"note": "x", "tasks": ["Find a.", "Find b."]}',
    ],
)
def test_tasks_are_read_from_any_list(answer: str) -> None:
    """Distinct, in order."""
    assert parse_tasks(answer) == ("Find a.", "Find b.")


def test_the_last_task_of_a_truncated_list_is_left_out() -> None:
    """It may be cut; what is whole is used."""
    assert parse_tasks('{"tasks": ["Find a.", "Find', truncated=True) == ("Find a.",)
    assert parse_tasks("- Find a.\n- Find", truncated=True) == ("Find a.",)
    assert parse_tasks('{"tasks": ["Find a."]} An', truncated=True) == ("Find a.",)
    assert parse_tasks('{"tasks": ["Fin', truncated=True) == Unparsed(
        "no_task_list", '{"tasks": ["Fin'
    )


_N = MAX_ANSWER_CHARS
PATHOLOGICAL = {
    "braces": "{" * _N,
    "brackets": "[" * 10_000,
    "all brackets": "[" * _N,
    "nested objects": '{"a":' * 20_000,
    "quotes": "{" + '"' * (_N - 1),
    "single quotes": "{" + "'" * (_N - 1),
    "opened strings": '["' * (_N // 2),
    "opened keys": '{"' * (_N // 2),
    "backslashes": '{"a":"' + "\\" * (_N - 6),
    "fences": "```{" * (_N // 4),
    "fenced lists": "```[1]" * (_N // 6),
    "comments": "{#\n" * (_N // 3),
    "parentheses": "[" + "(" * (_N - 1),
    "a long key": "{" + "k" * (_N - 1),
    "curly quotes": "{“" * (_N // 2),
    "quoted keys": "{:“" + ":“" * 20_000,
    "closers": '{"a":"' + "-\n} " * 10_000,
    "thoughts": "<think>" * (_N // 7),
    "ended thoughts": "x</think>" * (_N // 9),
    "spaces": "{" + " " * (_N - 1),
    "lines": "- a\n" * (_N // 4),
    "digits": "[" + "1" * (_N - 1),
    "too long": "{" * (5 * _N),
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_no_text_stalls(name: str) -> None:
    """Two seconds are the bound for 200,000 characters; most take hundredths of one."""
    start = time.process_time()
    reply = parse_reply(PATHOLOGICAL[name], FIELDS)
    tasks = parse_tasks(PATHOLOGICAL[name])
    assert time.process_time() - start < 4.0
    assert isinstance(reply, Unparsed)
    assert reply.reason in REPLY_REASONS
    if isinstance(tasks, Unparsed):
        assert tasks.reason in TASK_REASONS


def test_a_long_answer_that_needs_repair_is_still_repaired() -> None:
    """The bounds leave room for the longest texts that are asked for, code among them."""
    code = 'if (x["y"] == \\"z\\") {\\n  f(a[1]);  // 森\\n}\\n' * 40
    answer = f'{{"user_query": "a b", "text": "{code}",}}'.replace('["y"]', '[\\"y\\"]')
    reply = parse_reply(answer, FIELDS)
    assert isinstance(reply, dict)
    assert reply["text"].count("森") == 40
    prose = "日本語の文章です。「川」と書きます。\\n" * 500
    reply = parse_reply(f'{{"user_query": "a b", "text": "{prose}"', FIELDS)
    assert isinstance(reply, dict)
    assert reply["text"].count("川") == 500
