"""What a failure of vLLM's engine means, and what to change."""

from __future__ import annotations

import re

from generator.errors import LLMError

_SMALLER = (
    "--set llm.vllm.max_model_len=4096 (room for one text), "
    "--set llm.vllm.gpu_memory_utilization=0.95 (a larger share of the device), "
    "--set llm.vllm.tensor_parallel_size=2 (more devices), "
    "--set llm.vllm.quantization=fp8, or a smaller model"
)
_LOG = "VLLM_LOGGING_LEVEL=INFO in front of the command shows the engine's own log"
# The first that fits.
_HINTS = (
    (r"derived max_model_len|max_position_embeddings", "--set llm.vllm.max_model_len=… as it says"),
    (r"out of memory|OutOfMemory|memory|KV cache|gpu_memory_utilization", _SMALLER),
    (
        r"divisible|[Tt]ensor.?[Pp]arallel|[Ww]orld size|number of (available )?GPUs|device_count",
        "--set llm.vllm.tensor_parallel_size=… : a divisor of the model's heads, one device each",
    ),
    (r"quantiz", "--set llm.vllm.quantization=null, or the method that the weights were made with"),
    (r"dtype|bfloat16|float16", "--set llm.vllm.dtype=float32 or float16"),
    (
        r"not a valid|does not appear to have|Repo id|onnect|offline|[Cc]an't load|config\.json",
        "a local folder with config.json and *.safetensors, a .gguf file, or a Hub id",
    ),
    (r"architectures?\b|not supported", "another model, or --set llm.backend=transformers"),
    (r"grammar|schema|structured", "see the reply of this step in tasks.yaml"),
)  # fmt: skip


def explained(what: str, cause: str) -> LLMError:
    """An error that says what failed, why, and what to type."""
    said = _clean(cause)
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, said)), _LOG)
    return LLMError(f"{what}: {said}", hint=hint)


def _clean(cause: str) -> str:
    """The first lines that say something, without pydantic's frame."""
    lines = [line.strip() for line in cause.strip().splitlines() if line.strip()]
    if len(lines) > 1 and "validation error" in lines[0]:
        lines = [line for line in lines[1:] if not line.startswith("For further information")]
    text = " ".join(lines[:3]) or "no reason given"
    return re.sub(r"\s*\[type=.*$", "", text)[:600]
