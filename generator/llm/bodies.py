"""A prompt as the bytes of a chat completion request, in the dialect that one server takes.

The same prompt gives the same bytes as long as the server refuses nothing. A schema is written
as JSON once, not once a request. Knows no connection.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import openai

from generator.records import Prompt

_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(separators=(",", ":")).encode
_FORMAT_WORDS = ("response_format", "json_schema", "guided", "schema")


class Dialect:
    """What a server takes: `response_format`, and its name for the most tokens of a reply."""

    def __init__(self, *, structured: bool = True) -> None:
        self.structured = structured
        self.max_tokens = "max_tokens"

    def body(self, prompt: Prompt) -> bytes:
        """The request's JSON in UTF-8. `prompt.params.extra` goes over all else."""
        fields = self.fields(prompt)
        schema = _format(prompt.step, prompt.schema) if self._is_structured(prompt) else b""
        try:
            plain = _text(fields).encode()
        except UnicodeEncodeError:  # a lone surrogate
            plain = _ascii(fields).encode()
        return plain[:-1] + b',"response_format":' + schema + b"}" if schema else plain

    def fields(self, prompt: Prompt) -> dict[str, Any]:
        """The request without its `response_format`."""
        params = prompt.params
        found: dict[str, Any] = {
            "model": prompt.model,
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "temperature": params.temperature,
            "top_p": params.top_p,
            self.max_tokens: params.max_tokens,
            "seed": params.seed,
        }
        if params.stop:
            found["stop"] = list(params.stop)
        if params.extra:
            found |= json.loads(params.extra)
            found = {name: value for name, value in found.items() if value is not None}
        return found

    def _is_structured(self, prompt: Prompt) -> bool:
        return bool(self.structured and prompt.schema) and not (
            prompt.params.extra and "response_format" in json.loads(prompt.params.extra)
        )

    def learn(self, refusal: openai.APIStatusError, sent: bytes) -> bool:
        """Take note of what a server refuses; whether the request is worth sending again.

        `sent` is the body that was refused: others in flight may have been refused before it.
        """
        if refusal.status_code not in {400, 422}:
            return False
        said = str(refusal).lower()
        if "max_tokens" in said and "max_completion_tokens" in said:
            self.max_tokens = "max_completion_tokens"
            return b'"max_tokens":' in sent
        if any(word in said for word in _FORMAT_WORDS):
            self.structured = False
            return b'"response_format":' in sent
        return False


@lru_cache(maxsize=256)
def _format(name: str, schema: str) -> bytes:
    inner = {"name": name, "strict": True, "schema": json.loads(schema)}
    return _text({"type": "json_schema", "json_schema": inner}).encode()
