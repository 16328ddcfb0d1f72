"""An LLM as teacher: it grades how well a text answers a query, from 0 to 3.

The scale is that of TREC's Deep Learning track, the prompt in the manner of Thomas et al. 2023
(arXiv 2309.10621) and UMBRELA (arXiv 2406.06519): meaning first, then one grade.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from generator.errors import RequestFailed
from generator.records import Completion, Message, Params, Prompt, content_id

GRADES = (0, 1, 2, 3)
MAX_ATTEMPTS = 3
TEMPLATE = """\
Grade how well a passage answers a query.

3: the passage is about the query and holds the exact answer
2: it holds some answer, but unclear, or hidden among other things
1: it is about the same subject, but does not answer
0: it has nothing to do with the query

Consider what the person who asks wants to know, in whatever language query and passage are. Then \
reply with JSON alone: {{"grade": 0}}, with the grade as a whole number from 0 to 3.

Query: {query}

Passage: {passage}
"""
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"grade": {"type": "integer", "enum": list(GRADES)}},
        "required": ["grade"],
        "additionalProperties": False,
    },
    sort_keys=True,
)
_GRADE = re.compile(r"(?<![\d.])([0-3])(?!\.?\d)")

Ask = Callable[[Prompt], Awaitable[Completion]]


def judge_prompt(model: str, query: str, passage: str, params: Params, attempt: int = 0) -> Prompt:
    """The request for one grade; its key is the same whenever the same pair is graded."""
    text = TEMPLATE.format(query=query, passage=passage)
    return Prompt(
        model=model,
        draw=f"judge/{content_id(query, passage)}",
        step="grade",
        attempt=attempt,
        messages=(Message("user", text),),
        params=params,
        schema=SCHEMA,
        template=content_id(TEMPLATE),
    )


def grade_of(reply: str) -> int | None:
    """The grade in a reply: of its JSON, else the last lone digit from 0 to 3; None for neither."""
    try:
        value = json.loads(reply)["grade"]
    except (ValueError, KeyError, TypeError):
        found = _GRADE.findall(reply)
        return int(found[-1]) if found else None
    return value if value in GRADES and not isinstance(value, bool) else None


async def grade(ask: Ask, model: str, query: str, passage: str, params: Params) -> float:
    """The grade of one pair, NaN where the request failed or three replies hold none."""
    for attempt in range(MAX_ATTEMPTS):
        prompt = judge_prompt(model, query, passage, params, attempt)
        try:
            found = grade_of((await ask(prompt)).text)
        except RequestFailed:
            return float("nan")
        if found is not None:
            return float(found)
    return float("nan")
