"""Which form a run takes: by the size of a local model, and by the languages of its documents."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from generator.config import load_config
from generator.llm.modelsize import parameter_count
from generator.plan import Plan, make_plan
from generator.prompts import Renderer
from generator.taxonomy import examine

ROOT = Path(__file__).parent.parent
QWEN_05B = {
    "num_hidden_layers": 24, "hidden_size": 896, "intermediate_size": 4864, "vocab_size": 151936,
}  # fmt: skip
QWEN_15B = {**QWEN_05B, "num_hidden_layers": 28, "hidden_size": 1536, "intermediate_size": 8960}
ENGLISH = "A strong colony can hold up to 60,000 bees in summer, almost all of them female workers."
JAPANESE = "巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。"
KOREAN = (
    "벌통은 햇볕이 잘 드는 곳에 두고 겨울 북풍을 피할 수 있도록 숲의 남쪽을 고르는 것이 좋다. "
    "꿀은 초여름에 뜨며, 벌집의 삼분의 이가 밀랍으로 덮였는지 확인한 뒤에 시작한다."
)
CITIES = ("서울", "부산", "대구", "인천", "광주")
MakePlan = Callable[..., Plan]


def _folder(path: Path, config: Mapping[str, Any]) -> str:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def _gguf(path: Path, pairs: list[tuple[str, int, bytes]]) -> str:
    """A file with only a header, as llama.cpp writes it: keys with type and bytes of each value."""
    keys = b"".join(
        struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind) + value
        for key, kind, value in pairs
    )
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + keys)
    return str(path)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _numbers(shape: Mapping[str, int]) -> list[tuple[str, int, bytes]]:
    return [(f"qwen2.{key}", 4, struct.pack("<I", value)) for key, value in shape.items()]


SHAPE = {"block_count": 24, "embedding_length": 896, "feed_forward_length": 4864}
TOKENS = struct.pack("<IQ", 8, 3) + b"".join(map(_string, ("a", "bc", "d")))
ARRAY = struct.pack("<IQ", 5, 2) + struct.pack("<ii", 1, 2)


@pytest.mark.parametrize(
    ("config", "billions"),
    [
        (QWEN_05B, 0.494),
        (QWEN_15B, 1.544),
        ({"text_config": QWEN_05B, "vision_config": {"hidden_size": 9}}, 0.494),
    ],
)
def test_the_size_of_a_folder_follows_from_its_configuration(
    tmp_path: Path, config: Mapping[str, Any], billions: float
) -> None:
    """Within a tenth of what the model's card says."""
    found = parameter_count(_folder(tmp_path / "model", config))
    assert found == pytest.approx(billions * 1e9, rel=0.1)


def test_the_size_of_a_gguf_file_follows_from_its_header(tmp_path: Path) -> None:
    """Strings and arrays before the numbers are passed over; what is behind the tokens unread."""
    strings = [("general.name", 8, _string("Qwen")), ("general.languages", 9, TOKENS)]
    behind = [("tokenizer.ggml.tokens", 9, TOKENS), ("tokenizer.ggml.scores", 99, b"")]
    path = _gguf(
        tmp_path / "a.gguf", [*strings, ("general.x", 9, ARRAY), *_numbers(SHAPE), *behind]
    )
    assert parameter_count(path) == 24 * 896 * (4 * 896 + 3 * 4864) + 3 * 896


@pytest.mark.parametrize(
    "pairs",
    [
        _numbers({**SHAPE, "expert_count": 8}),
        [*_numbers(SHAPE)[:2], ("qwen2.feed_forward_length", 9, ARRAY)],
        [*_numbers(SHAPE), ("broken", 77, b"")],
        [*_numbers(SHAPE), ("cut", 8, struct.pack("<Q", 2**63))],
    ],
    ids=["experts", "one number a layer", "unknown type", "endless string"],
)  # fmt: skip
def test_a_size_that_a_file_does_not_tell_is_unknown(
    tmp_path: Path, pairs: list[tuple[str, int, bytes]]
) -> None:
    """And no error: the back end tells what it cannot load."""
    assert parameter_count(_gguf(tmp_path / "a.gguf", pairs)) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"hidden_size": "x"}', '{"text_config": 3}'])
def test_a_folder_that_is_no_decoder_has_no_size(tmp_path: Path, text: str) -> None:
    """Nor has a name that is no folder."""
    (tmp_path / "config.json").write_text(text)
    assert parameter_count(str(tmp_path)) is None
    assert parameter_count("Qwen/Qwen2.5-0.5B-Instruct") is None
    assert parameter_count(str(tmp_path / "none.gguf")) is None


@pytest.fixture
def plan(tmp_path: Path) -> MakePlan:
    """The plan of a run over two English, two Japanese and a number of Korean documents."""

    def make(model: str, backend: str, korean: int = 0, **keys: Any) -> Plan:
        folder = tmp_path / "documents"
        folder.mkdir(exist_ok=True)
        texts = [f"# Bees\n\n{ENGLISH}", f"# 養蜂\n\n{JAPANESE}"]
        texts += [f"# 양봉\n\n{city}에서는 {KOREAN}" for city in CITIES[:korean]]
        for number, text in enumerate(texts):
            (folder / f"{number}.md").write_text(text, encoding="utf-8")
        base = {
            "corpus.paths": str(folder), "corpus.min_tokens": 0,
            "corpus.near_threshold": 1.0, "llm.model": model,
            "llm.backend": backend, "output": tmp_path / "run",
            "families": ["grounded-question", "grounded-intents"],
        }  # fmt: skip
        return make_plan(load_config(environ={}, **{**base, **keys}))

    return make


@pytest.mark.parametrize(
    ("config", "backend", "form"),
    [
        (QWEN_05B, "vllm", "staged"),
        (QWEN_05B, "transformers", "staged"),
        (QWEN_15B, "vllm", "single"),
        (QWEN_15B, "transformers", "single"),
        ({}, "vllm", "single"),
        ({}, "transformers", "staged"),
        (QWEN_05B, "openai", "single"),
    ],
)
def test_a_small_local_model_gets_the_staged_form(
    tmp_path: Path, plan: MakePlan, config: Mapping[str, Any], backend: str, form: str
) -> None:
    """Where its size is not known the back end decides; families of one form have that."""
    made = plan(_folder(tmp_path / "model", config), backend)
    assert {quota.name: quota.form for quota in made.quotas} == {
        "grounded-question": form,
        "grounded-intents": "single",
    }
    told = [note for note in made.notes if "in the form staged" in note]
    assert len(told) == (form == "staged")
    assert all("grounded-question:" in note and "--set form=single" in note for note in told)
    other = plan(str(tmp_path / "model"), backend, form="single")
    assert not [note for note in other.notes if "in the form staged" in note]


def test_the_form_is_that_which_suits_most_documents(tmp_path: Path, plan: MakePlan) -> None:
    """A few of a language that the small model's form lacks are left out; many are not."""
    model = _folder(tmp_path / "model", QWEN_05B)
    few = plan(model, "vllm", korean=1)
    assert few.quotas[0].form == "staged"
    assert {draw.language for draw in few.draws() if draw.form == "staged"} == {"en", "ja"}
    assert any("grounded-question leaves out 1 draw" in note for note in few.notes), few.notes
    many = plan(model, "vllm", korean=5)
    assert many.quotas[0].form == "single"


def test_the_embedded_model_is_asked_for_english_in_any_form_of_many(plan: MakePlan) -> None:
    """Asked for the staged form by name, too; in a form that it does not suit it does as told."""
    for form in ("auto", "staged"):
        made = plan("smollm2-135m-instruct", "vllm", form=form, families=["grounded-question"])
        assert {draw.language for draw in made.draws()} == {"en"}
        assert any("is written in en alone" in note for note in made.notes)
        assert not any("for small models" in note for note in made.notes)
    made = plan("smollm2-135m-instruct", "vllm", form="single", families=["grounded-question"])
    assert {draw.language for draw in made.draws()} == {"en", "ja"}


def test_every_language_of_the_staged_forms_has_examples() -> None:
    """And every table of examples is one of a form's languages, with all its labels."""
    taxonomy, _ = examine(ROOT / "tasks.yaml", ROOT / "prompts")
    renderer = Renderer(ROOT / "prompts")
    tables = renderer._get("grounded/staged-examples.j2").module.by_language  # type: ignore[attr-defined]
    for name in ("grounded-question", "grounded-keywords"):
        assert set(taxonomy.families[name].forms["staged"].languages) == set(tables)
    for table in tables.values():
        assert table.keys() == tables["en"].keys()
        assert len(table["examples"]) >= 8
        assert sum(bool(keywords) for *_, keywords in table["examples"]) >= 6
        assert all(table[label].count("%s") == 1 for label in ("title", "sentence"))
