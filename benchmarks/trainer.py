"""Training and encoding speed on one GPU, random weights, log-normal lengths.

    python benchmarks/trainer.py exact divided small rival-small big rival-big big2048 [--out FILE]

exact    gradients of the CUDA path (varlen kernel, bfloat16, compiled layers and not) against a
         plain float32 batch through transformers, on a small model
divided  gradients of weights divided by fsdp (one process) against whole ones, compiled
small    0.5B shape (Qwen2), all weights, batch 2,048 x (1 + 1)
big      7B shape (Mistral), LoRA r16, batch 512 x (1 + 1); big2048 one step of batch 2,048
rival-…  sentence-transformers on the same batches, padded and unpadded (fa4-…: with flash-attn-4)
encode   0.5B shape: documents/s, ours and sentence-transformers' encode (needs --tokenizer DIR)

Query median 24 and document median 160 tokens (sigma 0.6, cap 512), last-token pooling, temperature
0.02; one warm-up step, then `--steps` timed ones. Real tokens/s. Each line has what `--plan` says.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from generator.trainer.attention import kernel_name
from generator.trainer.batch import Batch
from generator.trainer.config import TrainConfig
from generator.trainer.decoder import Model
from generator.trainer.embedder import Embedder
from generator.trainer.engine import Engine, compiled_blocks, default_budget
from generator.trainer.flops import activation_bytes, peak_flops, step_flops
from generator.trainer.gradients import check_gradients
from generator.trainer.lora import new_adapters
from generator.trainer.optimizer import Optimizer
from generator.trainer.packing import Texts
from generator.trainer.parameters import Parameters
from generator.trainer.plan import predict
from generator.trainer.shape import Rope, Shape
from generator.trainer.weights import Base, from_hub

RESULTS: list[dict] = []


def shape(hidden: int, inner: int, layers: int, heads: int, kv: int, vocab: int) -> Shape:
    d = hidden // heads
    return Shape("llama", hidden, layers, heads, kv, d, inner, vocab, 1e-6, d**-0.5,
                 (0,) * layers, (Rope(10000.0),), (0,) * layers)  # fmt: skip


SMALL = shape(896, 4864, 24, 14, 2, 49152)
BIG = shape(4096, 14336, 32, 32, 8, 32000)
TINY = shape(256, 512, 4, 4, 2, 1000)


def random_weights(s: Shape, dtype: torch.dtype, device: torch.device, biases: bool) -> dict:
    def new(*size: int) -> torch.Tensor:
        return torch.randn(size, dtype=dtype, device=device) * 0.02

    ones = lambda: torch.ones(s.hidden, dtype=dtype, device=device)  # noqa: E731
    weights = {"embed": new(s.vocab, s.hidden), "norm": ones()}
    for i in range(s.layers):
        for name, parts in s.parts.items():
            weights[f"layers.{i}.{name}"] = new(sum(parts), s.inputs[name])
        if biases:
            weights[f"layers.{i}.qkv.bias"] = new(sum(s.parts["qkv"]))
        weights[f"layers.{i}.norm_in"], weights[f"layers.{i}.norm_mlp"] = ones(), ones()
    return weights


def lengths(n: int, median: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.round(np.exp(rng.normal(size=n) * 0.6 + math.log(median))), 4, 512).astype(
        int
    )


def make_batch(rows: int, vocab: int, rng: np.random.Generator) -> Batch:
    sizes = np.concatenate([lengths(rows, 24, rng), lengths(rows, 160, rng)])
    none = np.zeros(0, dtype=np.int64)
    ids = np.arange(2 * rows)
    return Batch(
        texts=Texts.plain([rng.integers(5, vocab - 5, size).astype(np.int32) for size in sizes]),
        query=ids[:rows], positive=ids[rows:], negative=none, negative_row=none,
        identity=ids, known=ids[rows:, None], policy=np.zeros(rows, np.int8),
        task=np.zeros(rows, np.int64), teacher_positive=np.full(rows, np.nan, np.float32),
        teacher_negative=np.zeros(0, np.float32), rows=ids[:rows],
    )  # fmt: skip


def make_batches(rows: int, vocab: int, count: int) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [make_batch(rows, vocab, rng) for _ in range(count)]


def speed(
    name: str, s: Shape, rows: int, lora: bool, budgets: list[int | None], steps: int, warm: int = 1
) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    changes = {} if lora else {"lora": None}
    config = TrainConfig.model_validate({"base": "x", "learning_rate": 1e-5, **changes})
    torch.manual_seed(0)
    weights = random_weights(s, dtype, device, biases=not lora)
    trained = weights
    if lora:
        adapters = new_adapters(s, config.lora, torch.Generator().manual_seed(0))
        trained = {n: t.to(device) for n, t in adapters.items()}
    parameters = Parameters(weights if lora else {}, trained, dtype)
    del weights, trained
    scale = config.lora.scale if lora else 0.0
    model, optimizer = Model(s, lora_scale=scale), Optimizer(parameters, config)
    batches = make_batches(rows, s.vocab, steps + warm)
    for budget in budgets:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        engine = Engine(
            model, parameters, compiled=device.type == "cuda", report=print,
            token_budget=budget or default_budget(model, device, adapters=lora),
        )  # fmt: skip
        planned = predict(engine, batches[-1].lengths, lora=lora)
        times, shares, loss = [], [], None
        for i, batch in enumerate(batches):
            sync()
            start = time.perf_counter()
            outcome = engine.accumulate(batch, config.loss, seed=i)
            optimizer.step(1e-5)
            sync()
            times.append(time.perf_counter() - start)
            shares.append(outcome.recomputed / outcome.tokens)
            loss = float(outcome.loss)
        tokens = sum(int(b.lengths.sum()) for b in batches[warm:])
        seconds = sum(times[warm:])
        adapters = parameters.master.numel() if lora else 0
        flops = np.asarray([
            step_flops(s, b.lengths, adapters=adapters, recomputed=r)
            for b, r in zip(batches[warm:], shares[warm:], strict=True)
        ]).sum(0)  # fmt: skip
        peak = peak_flops(device) or 1e12
        gb = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0
        note(
            name, kernel=kernel_name(device, dtype), budget=engine.token_budget, rows=rows,
            tokens_per_s=round(tokens / seconds), samples_per_s=round(rows * steps / seconds, 1),
            mfu=round(flops[0] / seconds / peak, 4), hfu=round(flops[1] / seconds / peak, 4),
            recomputed=round(float(np.mean(shares[warm:])), 3), chunks=outcome.chunks,
            peak_gb=round(gb, 1), plan_s=round(planned.seconds, 2),
            plan_gb=round(planned.memory_gb, 1), plan_recomputed=round(planned.recomputed, 3),
            graph_bytes=[round(engine.room.bytes_per_token), activation_bytes(s, adapters=lora)],
            times=[round(t, 2) for t in times], loss=round(loss, 4),
        )  # fmt: skip


def exact() -> None:
    from transformers import AutoModel, Qwen3Config

    from generator.trainer.shape import read_shape

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = Qwen3Config(hidden_size=256, intermediate_size=512, num_hidden_layers=4,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=64,
                         vocab_size=1000, max_position_embeddings=1024)  # fmt: skip
    torch.manual_seed(0)
    module = AutoModel.from_config(config).to(device).eval().requires_grad_(False)
    s = read_shape(config)
    weights = {n: t.clone() for n, t in from_hub(module.state_dict(), s).items()}
    base = Base(s, weights, config, None, "random")
    batch = make_batch(24, 1000, np.random.default_rng(0))
    for lora in (None, {"rank": 16}):
        for dtype in (torch.float32, torch.bfloat16):
            for pooling, compiled in (("last", False), ("mean", False), ("last", True)):
                changes = {"lora": lora, "loss": {"temperature": 0.1}, "pooling": pooling}
                torch._dynamo.reset()  # noqa: SLF001 - else its limit of variants is reached
                check = check_gradients(
                    base, batch, TrainConfig.model_validate({"base": "x", **changes}), dtype=dtype,
                    blocks=compiled_blocks() if compiled else None,
                )  # fmt: skip
                note("exact", lora=bool(lora), dtype=str(dtype), pooling=pooling, compiled=compiled,
                     cosine=round(check.cosine, 7), norm=round(check.norm_ratio, 5),
                     worst=round(check.worst_cosine, 6), passed=check.passed)  # fmt: skip


def divided() -> None:
    """Weights divided by fsdp, in a world of one: the same gradients, on this device."""
    import torch.distributed as dist

    from generator.trainer.sharded import Sharded

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    store = Path(tempfile.mkdtemp()) / "store"
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
                            init_method=f"file://{store}", rank=0, world_size=1)  # fmt: skip
    loss, batch = TrainConfig(base="x").loss, make_batch(24, 1000, np.random.default_rng(0))
    for lora in (False, True):
        weights = random_weights(TINY, torch.float32, device, biases=False)
        config = TrainConfig(base="x").lora
        new = new_adapters(TINY, config, torch.Generator().manual_seed(0)) if lora else weights
        new = {n: t.to(device) + 0.02 * torch.randn_like(t, device=device) for n, t in new.items()}
        frozen = {n: w.to(dtype) for n, w in weights.items()} if lora else {}
        found = []
        for made in (Parameters(frozen, new, dtype), Sharded(frozen, new, dtype, device)):
            model = Model(TINY, lora_scale=config.scale if lora else 0.0)
            engine = Engine(model, made, token_budget=1500, graph_tokens=2000,
                            compiled=device.type == "cuda")  # fmt: skip
            engine.accumulate(batch, loss, seed=0)
            found.append(made.collect(made.piece_gradients()).double())
        cosine = torch.cosine_similarity(*found, dim=0)
        note("fsdp, one process", lora=lora, dtype=str(dtype), cosine=round(float(cosine), 7),
             norm=round(float(found[1].norm() / found[0].norm()), 5))  # fmt: skip
    dist.destroy_process_group()


def rival(big: bool, rows: int, steps: int, settings: dict[str, list[tuple[str, int]]]) -> None:
    from rivals.sentence_transformers_trainer import bench
    from transformers import MistralConfig, Qwen2Config

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    s, kind = (BIG, MistralConfig) if big else (SMALL, Qwen2Config)
    s = s if device.type == "cuda" else TINY
    options = {"sliding_window": None} if big else {}
    for attention, sizes in settings.items():
        config = kind(hidden_size=s.hidden, intermediate_size=s.intermediate,
                      num_hidden_layers=s.layers, num_attention_heads=s.heads,
                      num_key_value_heads=s.kv_heads, vocab_size=s.vocab,
                      max_position_embeddings=2048, **options)  # fmt: skip
        # Padded 7B takes 40 s a step; its speed is its mini-batches', so a quarter of the rows do.
        full = rows // 4 if big and attention == "sdpa" else rows
        batches = make_batches(full, s.vocab, steps + 1)
        few = make_batches(rows // 4, s.vocab, 2)
        label = "7B LoRA" if big else "0.5B full"
        bench(config, big, batches, few, attention, sizes, device,
              lambda name, label=label, full=full, **figures:
              note(f"{label}: {name}", rows_a_step=full, **figures))  # fmt: skip
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def encode(tokenizer_dir: str, count: int) -> None:
    from sentence_transformers import SentenceTransformer, models
    from transformers import AutoTokenizer, Qwen2Config, Qwen2Model

    from generator.trainer.shape import read_shape
    from generator.trainer.tokens import Tokens

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    tokenizer.chat_template = None  # with one, sentence-transformers 6 wraps every text in a chat
    s = SMALL if device.type == "cuda" else TINY
    config = Qwen2Config(hidden_size=s.hidden, intermediate_size=s.intermediate,
                         num_hidden_layers=s.layers, num_attention_heads=s.heads,
                         num_key_value_heads=s.kv_heads, vocab_size=49152)  # fmt: skip
    torch.manual_seed(0)
    module = Qwen2Model(config).to(device, dtype).eval()
    rng = np.random.default_rng(1)
    words = np.asarray(["river", "bread", "chess", "the", "of", "and", "water", "stone", "light"])
    texts = [" ".join(rng.choice(words, n)) for n in lengths(count, 160, rng)]
    folder = Path(tempfile.mkdtemp())
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformer = models.Transformer(str(folder), max_seq_length=512)
    pooling = models.Pooling(s.hidden, pooling_mode="lasttoken")
    theirs = SentenceTransformer(
        modules=[transformer, pooling, models.Normalize()], device=str(device)
    )
    theirs = theirs.to(dtype)
    weights = {n: t.clone() for n, t in from_hub(module.state_dict(), read_shape(config)).items()}
    tokens = Tokens(tokenizer, None, None, 512)
    reference = None
    real = sum(len(ids) for ids in tokens.encode(texts))
    for size in (128, 512):
        theirs.encode(texts[:2000], batch_size=size, show_progress_bar=False)
        sync()
        start = time.perf_counter()
        reference = theirs.encode(texts, batch_size=size, show_progress_bar=False)
        seconds = time.perf_counter() - start
        note("encode sentence-transformers", batch=size, texts_per_s=round(count / seconds),
             tokens_per_s=round(real / seconds))  # fmt: skip
    for compiled in (True,):
        embedder = Embedder(Model(read_shape(config)), weights, tokens, prompts={},
                            compiled=compiled and device.type == "cuda")  # fmt: skip
        for budget in (16384, 65536):
            embedder.encode(texts[:2000], token_budget=budget)
            sync()
            start = time.perf_counter()
            ours = embedder.encode(texts, token_budget=budget)
            seconds = time.perf_counter() - start
            note("encode trine", compiled=compiled, budget=budget,
                 texts_per_s=round(count / seconds), tokens_per_s=round(real / seconds),
                 cosine=round(float((ours * reference).sum(1).min()), 5))  # fmt: skip


def note(name: str, **figures: object) -> None:
    RESULTS.append({"name": name, **figures})
    print(json.dumps(RESULTS[-1]), flush=True)


def sync() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--tokenizer", default="")
    parser.add_argument("--texts", type=int, default=8192)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cuda = torch.cuda.is_available()
    print("torch", torch.__version__, torch.cuda.get_device_name() if cuda else "cpu", flush=True)
    pads = {"small": [("rows", 64), ("rows", 128)], "big": [("rows", 16)]}
    budgets = {"small": [("tokens", 8192), ("tokens", 16384), ("tokens", 32768)],
               "big": [("tokens", 4096), ("tokens", 8192), ("tokens", 16384)]}  # fmt: skip
    rows = {"small": 2048, "big": 512} if cuda else {"small": 32, "big": 32}

    def rivals(name: str, attentions: dict[str, list[tuple[str, int]]]) -> Callable[[], None]:
        return lambda: rival(name == "big", rows[name], args.steps, attentions)

    jobs = {
        "exact": exact,
        "divided": divided,
        "small": lambda: speed("0.5B full", SMALL, 2048, False, [None, 16384], args.steps),
        "big": lambda: speed("7B LoRA", BIG, 512, True, [None, 10240], args.steps),
        "big2048": lambda: speed("7B LoRA 2048", BIG, 2048, True, [None], 1, warm=0),
        **{f"rival-{n}": rivals(n, {"sdpa": pads[n], "flash_attention_2": budgets[n]})
           for n in pads},
        **{f"fa4-{n}": rivals(n, {"flash_attention_4": budgets[n][:2]}) for n in pads},
        "tiny": lambda: (speed("tiny", TINY, 32, False, [2048], 2),
                         speed("tiny LoRA", TINY, 32, True, [2048], 2)),
        "encode": lambda: encode(args.tokenizer, args.texts),
    }  # fmt: skip
    for what in args.what:
        try:
            jobs[what]()
        except Exception as exc:  # noqa: BLE001 - the other measurements go on
            note(what, failed=f"{type(exc).__name__}: {exc}"[:2000])
            import traceback

            traceback.print_exc()
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
        if args.out:
            args.out.write_text("\n".join(json.dumps(r) for r in RESULTS) + "\n")


if __name__ == "__main__":
    main()
