"""sentence-transformers' cached loss on the batches of `benchmarks/trainer.py`.

    python benchmarks/trainer.py rival-small rival-big

CachedMultipleNegativesRankingLoss in bfloat16 autocast, last-token pooling, temperature 0.02.
Padded: SDPA. Unpadded: its own flattened inputs, which ask for a `flash_attn` package. PyPI has no
wheel of it, so a module of that name is put in its place whose one function calls the
FlashAttention 2 kernel that PyTorch carries - the kernel that trine uses. `fa4` asks for
`flash_attention_4` (the package flash-attn-4) instead.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
import types
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from generator.trainer.attention import flash
from generator.trainer.batch import Batch

Feature = dict[str, Any]


def padded(ids: list[Any], device: torch.device) -> Feature:
    """A column of texts as sentence-transformers pads it."""
    texts = [torch.from_numpy(one).long() for one in ids]
    lengths = torch.tensor([len(one) for one in texts])
    mask = (torch.arange(int(lengths.max()))[None] < lengths[:, None]).long()
    whole = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    return {"input_ids": whole.to(device), "attention_mask": mask.to(device)}


def flattened(ids: list[Any], device: torch.device) -> Feature:
    """A column of texts as its DataCollatorWithFlattening makes it."""
    lengths = torch.tensor([len(one) for one in ids])
    starts = torch.zeros(len(ids) + 1, dtype=torch.int32)
    starts[1:] = lengths.cumsum(0)
    whole = torch.cat([torch.from_numpy(one).long() for one in ids])
    positions = torch.cat([torch.arange(int(n)) for n in lengths])
    which = torch.repeat_interleave(torch.arange(len(ids), dtype=torch.int32), lengths)
    starts, longest = starts.to(device), int(lengths.max())
    return {
        "input_ids": whole[None].to(device), "position_ids": positions[None].to(device),
        "seq_idx": which[None].to(device), "cu_seq_lens_q": starts, "cu_seq_lens_k": starts,
        "max_length_q": longest, "max_length_k": longest,
    }  # fmt: skip


def varlen(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor, max_seqlen_q: int, max_seqlen_k: int, *,
    softmax_scale: float | None = None, causal: bool = False, **_: Any,
) -> torch.Tensor:  # fmt: skip
    """`flash_attn_varlen_func` by PyTorch's kernel; on a CPU, text by text."""
    scale = softmax_scale or q.shape[-1] ** -0.5
    if q.device.type == "cuda":
        return flash(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal, 0, scale
        )
    cuts, outs = cu_seqlens_q.tolist(), []
    for a, b in pairwise(cuts):
        one = [x[a:b].transpose(0, 1)[None] for x in (q, k, v)]
        out = torch.nn.functional.scaled_dot_product_attention(
            *one, is_causal=causal, scale=scale, enable_gqa=True
        )
        outs.append(out[0].transpose(0, 1))
    return torch.cat(outs)


def provide_flash_attention() -> None:
    """Let transformers find a `flash_attn` whose function is `varlen`."""
    from transformers import modeling_flash_attention_utils as utils  # noqa: PLC0415

    module, padding = types.ModuleType("flash_attn"), types.ModuleType("flash_attn.bert_padding")
    module.flash_attn_func = module.flash_attn_with_kvcache = None
    module.flash_attn_varlen_func = varlen
    padding.pad_input, padding.unpad_input = utils._pad_input, utils._unpad_input  # noqa: SLF001
    sys.modules |= {"flash_attn": module, "flash_attn.bert_padding": padding}
    found, utils.is_flash_attn_2_available = utils.is_flash_attn_2_available, lambda *_, **__: True
    utils.lazy_import_flash_attention("flash_attention_2")  # it keeps what it found
    utils.is_flash_attn_2_available = found
    del sys.modules["flash_attn"], sys.modules["flash_attn.bert_padding"]


def student(config: Any, lora: bool, device: torch.device, attention: str) -> Any:
    """A random decoder in sentence-transformers' clothes."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.models import Pooling, Transformer  # noqa: PLC0415
    from tokenizers import Tokenizer, models  # noqa: PLC0415
    from transformers import AutoModel, PreTrainedTokenizerFast, Qwen2Config  # noqa: PLC0415

    torch.manual_seed(0)
    config._attn_implementation = "sdpa"  # noqa: SLF001
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16 if lora else torch.float32)
        model = AutoModel.from_config(config)
        torch.set_default_dtype(torch.float32)
    model.config._attn_implementation = attention  # noqa: SLF001
    if lora:
        from peft import LoraConfig, get_peft_model  # noqa: PLC0415

        adapters = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
        model = get_peft_model(model, adapters, autocast_adapter_dtype=False)
    folder = tempfile.mkdtemp()
    tiny = Qwen2Config(hidden_size=64, intermediate_size=128, num_hidden_layers=1,
                       num_attention_heads=2, num_key_value_heads=2, vocab_size=99)  # fmt: skip
    AutoModel.from_config(tiny).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<unk>").save_pretrained(folder)
    transformer = Transformer(folder)
    transformer.model = model
    if attention != "sdpa":  # what it does itself when it finds a flash attention at load
        transformer.unpad_inputs = None
        keys = {"cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx"}
        if transformer.model_forward_params is not None:
            transformer.model_forward_params |= {*keys, "position_ids"}
    pooling = Pooling(config.hidden_size, pooling_mode="lasttoken")
    return SentenceTransformer(modules=[transformer, pooling], device=str(device)).train()


def step(st: Any, loss: Any, optimizer: Any, batch: Batch, make: Callable[..., Feature]) -> float:
    """One training step; returns its loss."""
    device, rows = st.device, len(batch.query)
    columns = [batch.texts.ids[:rows], batch.texts.ids[rows:]]
    features = [make(column, device) for column in columns]
    # Backward too: its second forward runs there, in float32 without this.
    with torch.autocast(device.type, dtype=torch.bfloat16):
        value = loss(features, torch.zeros(rows, device=device))
        value.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(value.detach())


def measure(
    st: Any, kind: str, size: int, batches: list[Batch], make: Callable[..., Feature], warm: int
) -> dict[str, float]:
    """Real tokens/s over the batches after the first `warm`."""
    from sentence_transformers.losses import CachedMultipleNegativesRankingLoss  # noqa: PLC0415

    key = "mini_batch_size" if kind == "rows" else "mini_batch_num_tokens"
    loss = CachedMultipleNegativesRankingLoss(st, scale=50.0, **{key: size})
    trained = [p for p in st.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)
    cuda = st.device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    losses, times = [], []
    try:
        for batch in batches:
            start = time.perf_counter()
            losses.append(step(st, loss, optimizer, batch, make))
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    except torch.OutOfMemoryError:
        return {"tokens_per_s": 0.0}
    finally:
        del optimizer
        st.zero_grad()
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
    gb = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0
    speed = sum(int(b.lengths.sum()) for b in batches[warm:]) / sum(times[warm:])
    return {"tokens_per_s": round(speed), "peak_gb": round(gb, 1), "steps": len(times) - warm,
            "first_loss": round(losses[0], 4)}  # fmt: skip


def bench(
    config: Any, lora: bool, batches: list[Batch], small: list[Batch], attention: str,
    settings: list[tuple[str, int]], device: torch.device, note: Callable[..., None],
) -> None:  # fmt: skip
    """The best of `settings` on `small` batches, then that one on `batches`; the first warms up."""
    if attention == "flash_attention_2":
        provide_flash_attention()
    st = student(config, lora, device, attention)
    make = padded if attention == "sdpa" else flattened
    found = {}
    for kind, size in settings if len(settings) > 1 else []:
        found[kind, size] = measure(st, kind, size, small, make, 1)
        note("sweep", attention=attention, **{kind: size}, **found[kind, size])
    best = max(found, key=lambda s: found[s]["tokens_per_s"], default=settings[0])
    figures = measure(st, *best, batches, make, 1)
    note("sentence-transformers", attention=attention, padded=make is padded,
         **{best[0]: best[1]}, **figures)  # fmt: skip
