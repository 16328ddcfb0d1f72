"""Do other tools see the same vectors? Texts through each, compared with the packed forward."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812

from generator.errors import RunError
from generator.trainer.embedder import Embedder, load_embedder
from generator.trainer.pooling import MEANS
from generator.trainer.weights import quiet

NEEDED = 0.999
_VLLM_CACHE_BYTES = 1 << 28
TEXTS = (
    "How do tides work?",
    "The moon pulls the sea towards it; twice a day the water rises and falls.",
    "a",
    "Ein Satz auf Deutsch, mit Umlauten: äöüß.",
    "日本語の文章です。",
    "def add(a, b):\n    return a + b\n",
    "  spaces   and\ttabs  ",
)
LONG = "long " * 700  # is cut
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parity:
    """The lowest cosine of a tool's vectors with ours."""

    tool: str
    cosine: float


def check_parity(folder: Path) -> list[Parity]:
    """The parity of every tool that is installed. Raises RunError below 0.999.

    In float32 on the CPU: what differs then is tokens, pooling or weights, not rounding.
    """
    embedder = load_embedder(folder, "cpu", dtype="float32")
    tools: dict[str, tuple[str, Callable[[Path, Embedder], Vectors | None]]] = {
        "transformers": ("transformers", _transformers),
        "sentence-transformers": ("sentence_transformers", _sentence_transformers),
        "vllm": ("vllm", _vllm),
    }
    rows = [embedder.encode(texts, prompt=prompt) for prompt, texts in _batches(embedder)]
    ours, found = np.concatenate(rows), []
    for tool, (package, function) in tools.items():
        if importlib.util.find_spec(package) is not None:
            with quiet():
                theirs = function(folder, embedder)
            if theirs is None:
                continue
            found.append(Parity(tool, _lowest_cosine(ours, theirs)))
    low = [one for one in found if not one.cosine >= NEEDED]
    if low:
        raise RunError(
            f"{folder}: {low[0].tool} sees other vectors: cosine {low[0].cosine:.4f}",
            hint="bidirectional attention has no place in a config.json; else please report this",
        )
    return found


def _lowest_cosine(ours: Vectors, theirs: Vectors) -> float:
    """Two vectors of zeros are the same one: of texts that are nothing but their prompt."""
    both = ~(ours.any(1) | theirs.any(1))
    return float(np.where(both, 1.0, (ours * theirs).sum(1)).min())


def _batches(embedder: Embedder) -> list[tuple[str, tuple[str, ...]]]:
    """Prompts and the texts to read with each; the long one once, since all beside it is padded."""
    prompts = list(dict.fromkeys(["", *embedder.prompts.values()]))
    return [*((prompt, TEXTS) for prompt in prompts), (prompts[-1], (LONG, TEXTS[0]))]


def _transformers(folder: Path, embedder: Embedder) -> Vectors:
    """A reader's own code: the tokenizer's default call, the model, its pooling."""
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    with torch.inference_mode():
        for prompt, texts in _batches(embedder):
            whole = [prompt + text for text in texts]
            batch = tokenizer(whole, padding=True, truncation=True, return_tensors="pt")
            inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
            hidden = model(**inputs, use_cache=False).last_hidden_state
            mask, pooling = inputs["attention_mask"], embedder.model.pooling
            if pooling == "mean_text":
                mask[:, : _prompt_length(tokenizer, prompt)] = 0
            rows.append(F.normalize(_pooled(hidden, mask, pooling), dim=-1))
    vectors: Vectors = torch.cat(rows).numpy()
    return vectors


def _prompt_length(tokenizer: Any, prompt: str) -> int:
    """Tokens of the prompt alone, without a special one at its end."""
    ids = tokenizer(prompt, truncation=True)["input_ids"] if prompt else []
    return len(ids) - (ids[-1:] != [] and ids[-1] in tokenizer.all_special_ids)


def _pooled(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    if pooling == "first":
        return hidden[:, 0]
    if pooling in MEANS:
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]


def _sentence_transformers(folder: Path, embedder: Embedder) -> Vectors:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    model = SentenceTransformer(
        str(folder), device="cpu", model_kwargs={"dtype": torch.float32}
    )  # fmt: skip
    rows = [
        model.encode(list(texts), prompt=prompt or None, convert_to_numpy=True,
                     show_progress_bar=False)
        for prompt, texts in _batches(embedder)
    ]  # fmt: skip
    vectors: Vectors = np.concatenate(rows).astype(np.float32)
    return vectors


def _vllm(folder: Path, embedder: Embedder) -> Vectors | None:
    """The pooling runner of vLLM, in its own processes; None, with a warning, where it fails.

    It has no mean without the prompt's tokens: such a folder it would serve with other vectors.
    """
    if embedder.model.pooling == "mean_text":
        message = f"{folder}: not compared with vLLM: it pools the instruction's tokens, too"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return None
    try:
        return embed_with_vllm(folder, embedder)
    except Exception as error:  # noqa: BLE001  its parts raise what they like; the model is whole
        warnings.warn(f"{folder}: not compared with vLLM: {error}", RuntimeWarning, stacklevel=2)
        return None


def embed_with_vllm(folder: Path, embedder: Embedder) -> Vectors:
    """The test texts' vectors as vLLM makes them of the folder, for each prompt in turn.

    In float32, on the GPU where its CUDA build is installed. Raises what vLLM raises.
    """
    from vllm import LLM  # noqa: PLC0415

    limit = embedder.tokens.max_tokens
    engine = LLM(
        model=str(folder), runner="pooling", dtype="float32", enforce_eager=True,
        max_model_len=limit, max_num_seqs=8, kv_cache_memory_bytes=_VLLM_CACHE_BYTES,
        use_tqdm_on_load=False,
    )  # fmt: skip
    try:
        texts = [prompt + text for prompt, batch in _batches(embedder) for text in batch]
        found = engine.embed(
            texts, use_tqdm=False, tokenization_kwargs={"truncate_prompt_tokens": limit}
        )
        rows = np.array([one.outputs.embedding for one in found], dtype=np.float32)
        vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return vectors
    finally:
        engine.llm_engine.engine_core.shutdown()
