"""The trained model as a folder that everyone's tools load, and the gate that proves they do.

The folder has sentence-transformers' layout: a Transformer (safetensors, adapters merged), Pooling,
Normalize. Its tokenizer writes BOS and EOS by itself, by a rule in tokenizer.json: flags in
tokenizer_config.json are dropped by some versions. The gate encodes texts through
sentence-transformers and transformers and compares with what was trained.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from generator.trainer.card import model_card
from generator.trainer.config import TrainConfig
from generator.trainer.parity import check_parity
from generator.trainer.session import Data, Report
from generator.trainer.tokens import Tokens, query_text
from generator.trainer.weights import Base, to_hub

_MODULES = (
    ("0", "", "sentence_transformers.models.Transformer"),
    ("1", "1_Pooling", "sentence_transformers.models.Pooling"),
    ("2", "2_Normalize", "sentence_transformers.models.Normalize"),
)
_POOLING = {"last": "lasttoken", "mean": "mean_tokens", "mean_text": "mean_tokens",
            "first": "cls_token"}  # fmt: skip
_MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens",
          "lasttoken")  # fmt: skip


def export_model(
    base: Base, weights: dict[str, torch.Tensor], data: Data, config: TrainConfig,
    state: dict[str, Any], report: Report,
) -> Path:  # fmt: skip
    """Write `config.output/model`, pass the parity gate, write the card; returns the folder.

    The folder appears whole: it is made beside its place and moved there. Raises RunError where
    another tool's vectors differ.
    """
    place = config.output / "model"
    part = config.output / "model.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    task = next(iter(data.store.tasks), "")
    write_folder(part, base, weights, data.tokens, config, task)
    parity = check_parity(part)
    for one in parity:
        report(f"parity  {one.tool}: cosine {one.cosine:.6f}")
    (part / "README.md").write_text(
        model_card(config, data, state, parity), encoding="utf-8"
    )  # fmt: skip
    shutil.rmtree(place, ignore_errors=True)
    part.replace(place)
    return place


def write_folder(
    folder: Path, base: Base, weights: dict[str, torch.Tensor], tokens: Tokens,
    config: TrainConfig, task: str,
) -> None:  # fmt: skip
    """Weights, configuration, tokenizer and modules; `task` is the default query instruction."""
    dtype = torch.float32 if config.dtype == "float32" else torch.bfloat16
    state = to_hub(weights, base.shape)
    save_file(
        {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in state.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    _write_config(folder, base, dtype)
    _write_tokenizer(folder, base, tokens)
    prompts = {"query": query_text(config.tokens.template, task, ""), "document": ""}
    _write_modules(folder, config, base.shape.hidden, prompts)
    meta = {
        "pooling": config.pooling, "bidirectional": config.bidirectional,
        "max_tokens": config.tokens.max_tokens, "bos": tokens.bos, "eos": tokens.eos,
        "template": config.tokens.template, "prompts": prompts, "base": Path(config.base).name,
    }  # fmt: skip
    _json(folder / "trine.json", meta)


def _write_config(folder: Path, base: Base, dtype: torch.dtype) -> None:
    config = base.config.to_dict()
    names = {
        "mistral": "MistralModel", "llama": "LlamaModel", "qwen2": "Qwen2Model",
        "qwen3": "Qwen3Model", "gemma3_text": "Gemma3TextModel",
    }  # fmt: skip
    name = str(dtype).removeprefix("torch.")
    config |= {"architectures": [names[base.shape.model_type]], "torch_dtype": name, "dtype": name}
    config.pop("_name_or_path", None)
    config.pop("quantization_config", None)
    # Versions of transformers before 5 read these two.
    rope = base.shape.ropes[0]
    config.setdefault("rope_theta", rope.theta)
    if rope.kind != "default" and isinstance(config.get("rope_parameters"), dict):
        config.setdefault("rope_scaling", config["rope_parameters"])
    _json(folder / "config.json", config)


def _write_tokenizer(folder: Path, base: Base, tokens: Tokens) -> None:
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tokenizers.processors import TemplateProcessing  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    old = base.tokenizer
    backend = Tokenizer.from_str(old.backend_tokenizer.to_str())
    backend.no_truncation()
    names = {i: old.convert_ids_to_tokens(i) for i in (tokens.bos, tokens.eos) if i is not None}
    head = [] if tokens.bos is None else [names[tokens.bos]]
    tail = [] if tokens.eos is None else [names[tokens.eos]]
    backend.post_processor = TemplateProcessing(
        single=[*head, "$A", *tail],
        pair=[*head, "$A", *tail, *head, "$B:1", *tail],
        special_tokens=[(name, i) for i, name in names.items()],
    )
    pad = old.pad_token or old.eos_token
    extra = {k: v for k in ("bos_token", "eos_token", "unk_token") if (v := getattr(old, k))}
    if tail:  # special to others as to us: it is no part of a prompt
        extra["eos_token"] = tail[0]
    # A new tokenizer, without the old one's chat template: with one, sentence-transformers 6 wraps
    # every text in a chat.
    new = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=pad, padding_side="right",
        model_max_length=tokens.max_tokens, **extra,
    )  # fmt: skip
    new.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # Another class would build a post-processor of its own, from flags.
    _json(path, {**settings, "tokenizer_class": "PreTrainedTokenizerFast"})


def _write_modules(folder: Path, config: TrainConfig, hidden: int, prompts: dict[str, str]) -> None:
    modules = [{"idx": int(i), "name": i, "path": path, "type": kind} for i, path, kind in _MODULES]
    _json(folder / "modules.json", modules)
    for _, path, _ in _MODULES[1:]:
        (folder / path).mkdir()
    chosen = _POOLING[config.pooling]
    pooling: dict[str, Any] = {f"pooling_mode_{mode}": mode == chosen for mode in _MODES}
    pooling |= {"word_embedding_dimension": hidden, "include_prompt": config.pooling != "mean_text"}
    _json(folder / "1_Pooling" / "config.json", pooling)
    sentence = {"max_seq_length": config.tokens.max_tokens, "do_lower_case": False}
    _json(folder / "sentence_bert_config.json", sentence)
    general = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    _json(folder / "config_sentence_transformers.json", {**general, "__version__": {}})


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
