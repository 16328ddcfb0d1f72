"""The mean of a text's own tokens: what counts as the prompt's, and that other tools agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_worlds import make_byte_folder, write_pairs

from generator.errors import InputError, RunError
from generator.trainer.config import TokenConfig, TrainConfig
from generator.trainer.embedder import load_embedder
from generator.trainer.export import write_folder
from generator.trainer.loop import train
from generator.trainer.parity import _vllm, check_parity
from generator.trainer.store import build_store
from generator.trainer.tokens import Tokens, tokens_of
from generator.trainer.weights import load_base

CPU = torch.device("cpu")
E5, QWEN = "Instruct: {task}\nQuery: {query}", "Instruct: {task}\nQuery:{query}"
ENGLISH, JAPANESE = "Find what answers it.", "質問に答える文章を探す。"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base with a byte-level tokenizer."""
    return make_byte_folder(tmp_path_factory.mktemp("bytes"))


def _export(base: Path, folder: Path, task: str = ENGLISH, **tokens: Any) -> Path:
    """A folder as training writes it, of the base itself."""
    config = TrainConfig.model_validate(
        {"base": str(base), "pooling": "mean_text", "dtype": "float32", "tokens": tokens}
    )
    loaded = load_base(str(base), torch.float32, CPU)
    framed = tokens_of(loaded.tokenizer, config.tokens)
    folder.mkdir()
    write_folder(folder, loaded, loaded.weights, framed, config, task)
    return folder


def _tokens(base: Path, **changes: Any) -> Tokens:
    return tokens_of(load_base(str(base), torch.float32, CPU).tokenizer, TokenConfig(**changes))


def test_a_word_that_takes_in_the_prompts_last_space_counts_as_the_prompts(base: Path) -> None:
    tokens = _tokens(base, bos="<s>")
    prompts = ["Query: ", "Query:", ""]
    found = tokens.texts([prompt + "how do" for prompt in prompts], prompts)
    own = [tokens.tokenizer.decode(ids[skip:].tolist())
           for ids, skip in zip(found.ids, found.prompt_lengths, strict=True)]  # fmt: skip
    assert own == [" do</s>", "how do</s>", "<s>how do</s>"]


def test_a_prompt_that_fills_the_limit_leaves_the_end_alone(base: Path) -> None:
    tokens = _tokens(base, max_tokens=8)
    found = tokens.texts(["tides " * 9 + "how"], ["tides " * 9])
    assert (len(found.ids[0]), *found.prompt_lengths) == (8, 7)


@pytest.mark.parametrize("task", [ENGLISH, JAPANESE])
@pytest.mark.parametrize("template", [E5, QWEN])
@pytest.mark.parametrize("eos", ["auto", None, "!"])
def test_every_tool_leaves_the_same_tokens_out(
    base: Path, tmp_path: Path, task: str, template: str, eos: str | None
) -> None:
    """Without an EOS, texts of one token are all prompt under E5's template: zero everywhere."""
    folder = _export(base, tmp_path / "model", task, template=template, eos=eos, max_tokens=96)
    found = {one.tool: one.cosine for one in check_parity(folder)}
    assert found["transformers"] > 0.99999
    assert found["sentence-transformers"] > 0.99999


def test_a_folder_that_says_otherwise_does_not_pass_the_gate(base: Path, tmp_path: Path) -> None:
    folder = _export(base, tmp_path / "model")
    place = folder / "1_Pooling" / "config.json"
    written = json.loads(place.read_text())
    assert written["include_prompt"] is False
    place.write_text(json.dumps({**written, "include_prompt": True}))
    with pytest.raises(RunError, match="sentence-transformers sees other vectors"):
        check_parity(folder)


@pytest.mark.parametrize("names", ["old", "new"])
def test_a_folder_of_sentence_transformers_is_read_as_it_reads_it(
    base: Path, tmp_path: Path, names: str
) -> None:
    folder = _export(base, tmp_path / "model", JAPANESE)
    (folder / "trine.json").unlink()
    if names == "new":
        new = {"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(new))
    embedder = load_embedder(folder, "cpu")
    assert embedder.model.pooling == "mean_text"
    assert check_parity(folder)[-1].cosine > 0.99999


def test_a_first_token_without_the_prompt_is_refused(base: Path, tmp_path: Path) -> None:
    folder = _export(base, tmp_path / "model")
    (folder / "trine.json").unlink()
    place = folder / "1_Pooling" / "config.json"
    for mode, known in (("lasttoken", True), ("cls", False)):
        place.write_text(json.dumps({"pooling_mode": mode, "include_prompt": False}))
        if known:
            assert load_embedder(folder, "cpu").model.pooling == "last"
        else:
            with pytest.raises(InputError, match="pooling is not supported"):
                load_embedder(folder, "cpu")


def test_each_text_may_have_a_prompt_of_its_own(base: Path, tmp_path: Path) -> None:
    embedder = load_embedder(_export(base, tmp_path / "model"), "cpu")
    texts, prompts = ["how do tides work", "", "質問"], ["Query:", "Query:", ""]
    found = embedder.encode(texts, prompt=prompts)
    for row, text, prompt in zip(found, texts, prompts, strict=True):
        assert np.allclose(row, embedder.encode([text], prompt=prompt)[0], atol=1e-6)
    joined = embedder.encode([prompts[0] + texts[0]])[0]
    assert float(found[0] @ joined) < 0.999


def test_a_text_cut_off_by_its_prompt_has_finite_vectors(base: Path, tmp_path: Path) -> None:
    for eos in ("auto", None):
        folder = _export(base, tmp_path / str(eos), eos=eos, max_tokens=8)
        embedder = load_embedder(folder, "cpu")
        found = embedder.encode(["how", ""], prompt="tides " * 20)
        assert np.isfinite(found).all()
        assert np.allclose(np.linalg.norm(found, axis=1), 0.0 if eos is None else 1.0, atol=1e-5)


def test_the_store_says_how_much_of_a_text_is_its_prompt(base: Path, tmp_path: Path) -> None:
    rows = [{"query": "how do", "positive": "tides", "task": ENGLISH, "symmetric": True},
            {"query": "work", "positive": "tides", "task": ENGLISH}]  # fmt: skip
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TokenConfig(template=QWEN)
    tokens = _tokens(base, template=QWEN)
    store = build_store([data], tokens, config, tmp_path / "cache", tmp_path / "rejected.jsonl")
    prompt = len(tokens.encode([f"Instruct: {ENGLISH}\nQuery:"])[0]) - 1
    both, one = store.side("positive", 0)[0], store.side("positive", 1)[0]
    texts = store.texts(np.array([*store.arrays["query"], both, one]))
    assert texts.prompt_lengths.tolist() == [prompt, prompt, prompt, 0]


def test_a_training_exports_what_it_learnt(base: Path, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", 24)
    config = TrainConfig.model_validate({
        "base": str(base), "output": tmp_path / "out", "pooling": "mean_text", "lora": None,
        "batch_size": 8, "epochs": 3, "learning_rate": 3e-3, "dtype": "float32",
        "eval": {"fraction": 0.2},
    })  # fmt: skip
    said: list[str] = []
    result = train([pairs], config, said.append)
    assert result.model is not None
    assert "parity  sentence-transformers: cosine 1.000000" in said
    assert json.loads((result.model / "trine.json").read_text())["pooling"] == "mean_text"
    card = (result.model / "README.md").read_text()
    assert "`prompt=`" in card
    assert "count the space" in card  # that ends the template


def test_vllm_is_not_asked_for_what_it_cannot_do(base: Path, tmp_path: Path) -> None:
    folder = _export(base, tmp_path / "model")
    embedder = load_embedder(folder, "cpu")
    with pytest.warns(RuntimeWarning, match="pools the instruction's tokens"):
        assert _vllm(folder, embedder) is None
