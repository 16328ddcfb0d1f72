"""An LLM's raw answer → the texts of its reply, or a stable reason why not.

Never raises on any text and never evaluates it. Tolerates thinking, fences, prose around, several
objects, trailing commas and, through json-repair, most of what else small models get wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import json_repair

from generator.families import ReplyField
from generator.text import storable

MAX_ANSWER_CHARS = 200_000
# json-repair may look through the rest of the text at every bracket, quotation mark and the like.
_REPAIR_MARK = re.compile(r"""[][(){}"'“”‘’`/#*]""")
MAX_REPAIR_CHARS = 50_000
_MAX_REPAIR_WORK = 4_000_000  # characters times marks: about a second
_MAX_REPAIR_DEPTH = 64
_MAX_FENCES = 8
_THINKING = re.compile(
    r"^(?:\s*<think(?:ing)?>.*?</think(?:ing)?>)+|^.*?</think(?:ing)?>", re.DOTALL
)
_STILL_THINKING = re.compile(r"\s*<think(?:ing)?>")
_FENCE = re.compile(r"```(?:json|JSON|python)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)
_OPENING = re.compile(r"[{\[]")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Why an answer gave no reply: a stable reason, and a detail for the reader."""

    reason: str
    detail: str = ""


def parse_reply(
    answer: str, fields: Mapping[str, ReplyField], *, cut: str = ""
) -> dict[str, str] | Unparsed:
    """The reply's texts by field name, stripped and valid Unicode.

    `cut`: why the reply is not whole; a repaired object is then refused for this reason, for its
    last text is cut. Reasons: answer_empty, answer_too_long, no_json_object, field_missing,
    field_not_text, field_not_allowed and `cut`.
    """
    text = _prepared(answer)
    if isinstance(text, Unparsed):
        return text
    best: Unparsed | None = None
    for value, repaired in _values(text):
        if not isinstance(value, dict):
            continue
        reply = _fields(value, fields)
        if isinstance(reply, dict):
            if repaired and cut:
                return Unparsed(cut, text[-80:])
            return reply
        best = best or reply
    if cut:
        return Unparsed(cut, text[-80:])
    return best or Unparsed("no_json_object", text[:80])


def parse_tasks(answer: str, *, truncated: bool = False) -> tuple[str, ...] | Unparsed:
    """The task descriptions of a brainstorming answer: `{"tasks": [...]}` or any list of texts.

    A list that was cut off is fine: where `truncated`, all but its last text are used. Reasons:
    answer_empty, answer_too_long, no_task_list.
    """
    text = _prepared(answer)
    if isinstance(text, Unparsed):
        return text
    for value, repaired in _values(text):
        texts = [item for item in _list_in(value) if isinstance(item, str)]
        found = _tasks(texts, cut=repaired and truncated)
        if found:
            return found
    lines = [_LIST_MARK.sub("", line) for line in text.splitlines() if _LIST_MARK.match(line)]
    return _tasks(lines, cut=truncated) or Unparsed("no_task_list", text[:80])


def _tasks(texts: list[str], *, cut: bool) -> tuple[str, ...]:
    whole = texts[:-1] if cut else texts
    return tuple(dict.fromkeys(filter(None, (_unicode(text).strip() for text in whole))))


def _prepared(answer: str) -> str | Unparsed:
    text = _unicode(answer).strip()
    if not text.startswith(("{", "[", "```")):  # those may well speak of the tag
        text = _THINKING.sub("", text, count=1).strip()
    if not text or _STILL_THINKING.match(text):
        return Unparsed("answer_empty", text[:80])
    if len(text) > MAX_ANSWER_CHARS:
        return Unparsed("answer_too_long", f"{len(text)} characters")
    return text


def _unicode(text: str) -> str:
    """The text without lone surrogates and NULs, which no file or database takes."""
    return storable(text.replace("\x00", ""))


def _values(text: str) -> Iterator[tuple[Any, bool]]:
    """JSON values found in the text, likeliest first, each with whether it was repaired."""
    for source in _sources(text):
        try:
            yield _DECODER.decode(source), False
        except (ValueError, RecursionError):
            continue
    for value in _scan(text):
        yield value, False
    for source in reversed([*_sources(text)]):
        for value in _repaired(source):
            yield value, True


def _sources(text: str) -> Iterator[str]:
    """What may be JSON as a whole: the text, and what stands between fences in it."""
    yield text
    for match in islice(_FENCE.finditer(text), _MAX_FENCES):
        yield match[1]


def _scan(text: str) -> Iterator[Any]:
    """Whole objects and lists that stand somewhere in the text."""
    at, tries = 0, 0
    while (found := _OPENING.search(text, at)) and tries < 50:
        tries += 1
        try:
            value, at = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.start() + 1
        else:
            yield value


def _repaired(text: str) -> Iterator[Any]:
    found = _OPENING.search(text)
    if found is None:
        return
    text = text[found.start() :]
    if not _is_repairable(text):
        return
    try:
        value = json_repair.loads(text)
    except Exception:  # noqa: BLE001 - a library's parser on any text
        return
    yield value
    if isinstance(value, list):
        yield from value


def _is_repairable(text: str) -> bool:
    if len(text) > MAX_REPAIR_CHARS:
        return False
    marks = _REPAIR_MARK.findall(text)
    steps = ((mark in "[{") - (mark in "]}") for mark in marks)
    deepest = max(accumulate(steps), default=0)
    return deepest <= _MAX_REPAIR_DEPTH and len(text) * len(marks) <= _MAX_REPAIR_WORK


def _list_in(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return next((item for item in value.values() if isinstance(item, list)), [])
    return []


def _fields(value: dict[Any, Any], fields: Mapping[str, ReplyField]) -> dict[str, str] | Unparsed:
    is_exact = value.keys() >= fields.keys()
    by_name = {} if is_exact else {_name(key): item for key, item in value.items()}
    reply = {}
    for name, field in fields.items():
        item = value.get(name) if is_exact else value.get(name, by_name.get(_name(name)))
        if item is None:
            return Unparsed("field_missing", name)
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            return Unparsed("field_not_text", f"{name}: {type(item).__name__}")
        text = _unicode(str(item)).strip()
        if field.one_of and text not in field.one_of:
            return Unparsed("field_not_allowed", f"{name}: {text[:80]}")
        reply[name] = text
    return reply


def _name(key: Any) -> str:
    """A field's name however the model wrote it: `User Query`, `user-query`, `userQuery`."""
    return re.sub(r"[\W_]", "", str(key).casefold())
