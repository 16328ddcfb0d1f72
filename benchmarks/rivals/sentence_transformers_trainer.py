"""sentence-transformers' cached loss on one GPU, random weights, log-normal lengths: the training anchor.

    python peer_trainer_bench.py TOKENIZER_DIR
Protocol: batch 2,048 x (query + positive), query median 24 and passage median 160 tokens (log-normal, sigma 0.6, cap 512), bf16 autocast,
last-token pooling, temperature 0.02, LoRA r16 on all linear layers for 7B, full fine-tuning for 0.5B; real (non-padding) tokens per second.
"""
import gc, math, sys, tempfile, time, torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from sentence_transformers.losses import CachedMultipleNegativesRankingLoss as Loss
from transformers import AutoTokenizer, MistralConfig, MistralModel, Qwen2Config, Qwen2Model
tokdir = sys.argv[1]; TINY_DIR = tempfile.mkdtemp()
torch.backends.cuda.matmul.allow_tf32 = True
SMALL = Qwen2Config(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, vocab_size=49152, max_position_embeddings=2048)
BIG = MistralConfig(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, vocab_size=32000, max_position_embeddings=2048, sliding_window=None)
TINY = Qwen2Config(hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, vocab_size=49152)

def batch(n, median, g, vocab):
    lens = torch.exp(torch.randn(n, generator=g) * 0.6 + math.log(median)).round().clamp(4, 512).long()
    L = int(lens.max()); ids = torch.randint(5, vocab - 5, (n, L), generator=g); mask = (torch.arange(L)[None] < lens[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}, int(lens.sum())

def bench(name, cls, cfg, lora, sizes, B, steps):
    if not hasattr(bench, "tiny"):
        Qwen2Model(TINY).save_pretrained(TINY_DIR); AutoTokenizer.from_pretrained(tokdir).save_pretrained(TINY_DIR); bench.tiny = TINY_DIR
    torch.manual_seed(0); cfg._attn_implementation = "sdpa"
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16 if lora else torch.float32); m = cls(cfg); torch.set_default_dtype(torch.float32)
    N = sum(p.numel() for n_, p in m.named_parameters() if "embed" not in n_)
    if lora:
        from peft import LoraConfig, get_peft_model
        m = get_peft_model(m, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"), autocast_adapter_dtype=False)
    t = Transformer(bench.tiny); t.model = m
    st = SentenceTransformer(modules=[t, Pooling(cfg.hidden_size, pooling_mode="lasttoken")]).cuda(); st.train()
    opt = torch.optim.AdamW([p for p in st.parameters() if p.requires_grad], lr=1e-5, fused=True)
    print(name, "attention:", m.config._attn_implementation, flush=True)
    def one(kind, size):
        if True:
            loss_fn = Loss(st, scale=50.0, **({"mini_batch_size": size} if kind == "rows" else {"mini_batch_num_tokens": size}))
            g = torch.Generator().manual_seed(0); tok = 0; torch.cuda.reset_peak_memory_stats(); t0 = None
            for s in range(steps + 1):
                if s == 1: torch.cuda.synchronize(); t0 = time.time(); tok = 0
                fs = []
                for med in (24, 160):
                    f, n = batch(B, med, g, cfg.vocab_size); tok += n; fs.append({k: v.cuda() for k, v in f.items()})
                with torch.autocast("cuda", dtype=torch.bfloat16): loss = loss_fn(fs, torch.zeros(B, device="cuda"))
                loss.backward(); opt.step(); opt.zero_grad()
            torch.cuda.synchronize(); r = tok / (time.time() - t0)
            useful = (4 if lora else 6) * N * r / 989e12
            print(f"{name} {kind}={size}: {r:,.0f} real tok/s, MFU {useful:.1%}, peak {torch.cuda.max_memory_allocated()/2**30:.0f} GB", flush=True)
    for kind, size in sizes:
        try: one(kind, size)
        except torch.OutOfMemoryError as e: print(f"{name} {kind}={size}: out of memory", flush=True)
        opt.zero_grad(); gc.collect(); torch.cuda.empty_cache()
    del st, opt, m, t; gc.collect(); torch.cuda.empty_cache()

if __name__ == "__main__":
    import sentence_transformers; print("sentence-transformers", sentence_transformers.__version__, "torch", torch.__version__, flush=True)
    args = sys.argv[2:] or ["small", "big"]; which = [a.split(":")[0] for a in args]
    pick = lambda name, sizes: next(([(s[0], int(s[1:])) for s in a.split(":")[1].split(",")] for a in args if a.startswith(name + ":")), sizes)  # small:r256,t32768
    pick_ = pick; pick = lambda name, sizes: [({"r": "rows", "t": "tokens"}.get(k, k), v) for k, v in pick_(name, sizes)]
    if "small" in which: bench("0.5B full", Qwen2Model, SMALL, False, pick("small", [("rows", 16), ("rows", 64), ("tokens", 8192), ("tokens", 32768), ("rows", 256)]), 2048, 2)
    if "big" in which: bench("7B LoRA", MistralModel, BIG, True, pick("big", [("rows", 16), ("tokens", 4096), ("tokens", 16384)]), 512, 1)
