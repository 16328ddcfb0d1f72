"""The model card: what it is for, how to use it, what it was trained on, how it scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.trainer.config import TrainConfig

if TYPE_CHECKING:
    from generator.trainer.parity import Parity
    from generator.trainer.session import Data

_USE = """
```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("model")
queries = model.encode(["…"], prompt_name="query")
documents = model.encode(["…"])
print(model.similarity(queries, documents))
```
"""


_MEAN_TEXT = """
The mean is of a text's own tokens: give an instruction as `prompt=` or by `prompt_name=`, never as
part of the text. sentence-transformers does the rest (`include_prompt: false`); servers that pool
all tokens, such as vLLM, give other vectors.
"""
_SPACE = """Version 5.1 and older count the space that ends the prompt otherwise: use a newer one.
"""


def _note(config: TrainConfig) -> str:
    """What a reader must know to give this model's instructions."""
    if config.pooling != "mean_text":
        return ""
    before = config.tokens.template.partition("{query}")[0]
    return _MEAN_TEXT if before == before.rstrip() else _MEAN_TEXT + _SPACE


def model_card(config: TrainConfig, data: Data, state: dict[str, Any], parity: list[Parity]) -> str:
    """The README.md of an exported folder."""
    store, lora = data.store, config.lora
    base = config.base.rstrip("/").rsplit("/", 1)[-1]
    how = f"LoRA r {lora.rank}, α {lora.alpha:g}, merged" if lora else "full fine-tuning"
    tasks = [f"- {name} ({n:,} rows)" for name, n in list(store.tasks.items())[:10] if name]
    scores = [f"| {step:,} | {score:.4f} |" for step, score in state["scores"]]
    rejected = ", ".join(f"{n:,} {reason}" for reason, n in store.rejected.items()) or "none"
    loss = config.loss
    lines = [
        "---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity",
        "tags: [sentence-transformers, feature-extraction, trine]", "---", "",
        f"# Embeddings from {base}", "",
        f"Trained with trine from `{base}`: {how}.",
        f"Pooling: {config.pooling}; at most {config.tokens.max_tokens} tokens; cosine similarity.",
        _USE + _note(config),
        "## Training", "",
        f"- data: {', '.join(store.sources)}: {len(store):,} rows (rejected: {rejected})",
        f"- {loss.kind}, temperature {loss.temperature}, directions {', '.join(loss.directions)}",
        f"- {data.steps:,} steps of {config.batch_size}, learning rate {config.learning_rate:g}",
        f"- seed {config.seed}; last loss {state['loss']:.4f}",
        f"- BOS id {data.tokens.bos}, EOS id {data.tokens.eos} (written by tokenizer.json)",
        "", "Most frequent instructions:", "", *(tasks or ["- none"]), "",
    ]  # fmt: skip
    if scores:
        lines += ["## Scores", "", "| step | nDCG@10 |", "|---|---|", *scores, ""]
    lines += ["## Parity", "", *(f"- {p.tool}: cosine ≥ {p.cosine:.6f}" for p in parity), ""]
    return "\n".join(lines)
