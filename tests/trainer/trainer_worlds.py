"""A world for the trainer: tiny random decoders of each architecture, and small batches."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generator.trainer.batch import Batch
from generator.trainer.packing import Texts
from generator.trainer.shape import read_shape
from generator.trainer.weights import Base, from_hub

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 99,
    "max_position_embeddings": 256,
}


def configs() -> dict[str, Any]:
    """One configuration for each architecture and option that changes the forward."""
    from transformers import (  # noqa: PLC0415
        Gemma3TextConfig,
        LlamaConfig,
        MistralConfig,
        Qwen2Config,
        Qwen3Config,
    )

    llama3 = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    gemma = {
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 6,
        "query_pre_attn_scalar": 24,
        "head_dim": 16,
    }
    biased = {"attention_bias": True, "mlp_bias": True}
    return {
        "llama": LlamaConfig(**SMALL),
        "llama-biases-llama3": LlamaConfig(**SMALL, **biased, rope_scaling=llama3),
        "llama-linear": LlamaConfig(**SMALL, rope_scaling={"rope_type": "linear", "factor": 2.0}),
        "mistral-window": MistralConfig(**SMALL, sliding_window=7, head_dim=16),
        "qwen2": Qwen2Config(**SMALL),
        "qwen3": Qwen3Config(**SMALL, head_dim=16),
        "gemma3": Gemma3TextConfig(**SMALL, **gemma),
    }


def make_base(name: str = "llama", *, noise: float = 0.1) -> tuple[Base, Any]:
    """A random model as ours, and as `transformers` has it."""
    from transformers import AutoModel  # noqa: PLC0415

    config = configs()[name]
    torch.manual_seed(0)
    module = AutoModel.from_config(config).eval().requires_grad_(requires_grad=False)
    for parameter in module.parameters():
        parameter.data += noise * torch.randn_like(parameter)
    shape = read_shape(config)
    weights = {n: w.clone() for n, w in from_hub(module.state_dict(), shape).items()}
    return Base(shape, weights, config, None, name), module


def make_batch(rows: int = 6, *, seed: int = 0, negatives: bool = True, **changes: Any) -> Batch:
    """Rows of random texts; ragged negatives, two tasks; any array may be replaced."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, rows) if negatives else np.zeros(rows, dtype=np.int64)
    n = 2 * rows + int(counts.sum())
    lengths = rng.integers(2, 30, n)
    positive = np.arange(rows, 2 * rows)
    # Of queries some tokens are a prompt's, of one all of them.
    prompts = np.where(np.arange(n) < rows, np.arange(n) % lengths, 0)
    prompts[0] = lengths[0]
    batch = Batch(
        texts=Texts([rng.integers(0, 99, length).astype(np.int32) for length in lengths], prompts),
        query=np.arange(rows),
        positive=positive,
        negative=np.arange(2 * rows, n),
        negative_row=np.repeat(np.arange(rows), counts),
        identity=np.arange(n) + 1000,
        known=positive[:, None] + 1000,
        policy=np.zeros(rows, dtype=np.int8),
        task=np.arange(rows) % 2,
        teacher_positive=np.full(rows, np.nan, dtype=np.float32),
        teacher_negative=np.full(int(counts.sum()), np.nan, dtype=np.float32),
        rows=np.arange(rows),
    )
    return dataclasses.replace(batch, **changes)


def make_byte_folder(folder: Path) -> Path:
    """A tiny base whose tokenizer takes the space before a word into it, as GPT-2's does."""
    from tokenizers import ByteLevelBPETokenizer  # noqa: PLC0415
    from transformers import AutoModel, LlamaConfig, PreTrainedTokenizerFast  # noqa: PLC0415

    backend = ByteLevelBPETokenizer()
    lines = [
        "Instruct: Find what answers it.",
        "Query: how do tides work",
        "質問に答える文章を探す。",
    ]
    backend.train_from_iterator(lines * 20, 400, 2, special_tokens=["<s>", "</s>", "<pad>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer,
        bos_token="<s>", eos_token="</s>", pad_token="<pad>",
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    module = AutoModel.from_config(LlamaConfig(**{**SMALL, "vocab_size": 400}))
    for parameter in module.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    module.save_pretrained(folder)
    return folder


def make_folder(folder: Path, name: str = "llama", *, bos: bool = False) -> Path:
    """A tiny base in `folder`, as from the Hub: config, safetensors, a word tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    _, module = make_base(name, noise=0.3)
    module.save_pretrained(folder)
    words = [
        "<unk>",
        "<s>",
        "</s>",
        "Instruct",
        "Query",
        ":",
        "find",
        *(f"w{i}" for i in range(90)),
    ]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        **({"add_bos_token": True} if bos else {}),
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return folder


def write_pairs(path: Path, rows: int = 40, *, bad: bool = False) -> Path:
    """Pairs that share words, so that there is something to learn."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for i in range(rows):
            words = [f"w{n}" for n in rng.integers(0, 90, 12)]
            row = {"query": " ".join(words[:4]), "positive": " ".join(words), "task": "find"}
            if i % 3 == 0:
                row["negatives"] = [" ".join(f"w{n}" for n in rng.integers(0, 90, 7))]
            file.write(json.dumps(row) + "\n")
        if bad:
            file.write("{not json\n")
            file.write(json.dumps({"query": " ", "positive": "w1"}) + "\n")
            file.write(json.dumps({"query": "w1"}) + "\n")
            file.write(json.dumps({"query": "w1", "positive": "w1"}) + "\n")
            file.write(json.dumps({"query": "w1", "positive": "w2", "negative": "w2"}) + "\n")
    return path
