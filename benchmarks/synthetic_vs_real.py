"""How much of what real questions teach do generated ones teach? One student, the same settings.

    python benchmarks/synthetic_vs_real.py --data DIR --teacher MINILM --base STUDENT \
        --writer 135m=MODEL --writer 0.5b=MODEL --backend vllm --processes 6

DIR is a BEIR folder with a title for every passage (of `retrieval-en-newwiki`, 3,600 questions
to train on and 4,136 to test with). Sorted titles are dealt in turn to half A and half B. Real
questions of half A train the student, or questions that a writer wrote for the passages of half A;
those of half B test it, against all passages. No writer, filter or miner sees a question of it.

Steps (`--step`, all by default): generate, prepare, train, table. Each goes on where it was. The
arms stand in `ARMS`; a score is the mean nDCG@10 over `--seeds`. Figures: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.config import RunConfig

PAIRS = 3600
TASK = "Given a question, retrieve the passage that answers it."
BARE = "Write a question that this text answers.\n\n{{ document }}\n"
WHOLE = "tokens: 1024, overlap: 0, min_tokens: 0, near_threshold: null"
MINED = {"negatives": 2, "rank_max": 50, "temperature": 0.05}
PLAIN = ("epochs=3", "learning_rate=1e-4")
MORE = "epochs=3"  # of several times as many pairs
DISTILLED = (
    "loss.distill_weight=1", "loss.contrastive_weight=0.5", "loss.teacher_temperature=0.05",
)  # fmt: skip
SETTINGS = (
    "lora=null", "batch_size=128", "epochs=6", "learning_rate=4e-4", "weight_decay=0.01",
    "warmup_steps=10", "tokens.max_tokens=256", "save_steps=100000", "eval.max_queries=100000",
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """What a student is trained on, and how. `real` names the arm that it is measured by."""

    name: str
    rows: str
    settings: tuple[str, ...] = ()
    real: str = "real"


def arms(writers: Sequence[str]) -> list[Arm]:
    """Every arm, the most telling first.

    After the whole, what each part adds: alone (to the bare loop) and on top of those before it.
    """
    full, alone = "real cut+distilled", "real distilled alone"
    only = (*DISTILLED[::2], "loss.contrastive_weight=0")
    found = [Arm("real", "real"), Arm(full, "real.cut", DISTILLED, full)]
    for w in writers:
        found += [
            Arm(f"{w} kept cut+distilled", f"{w}.kept.cut", (*DISTILLED, MORE), full),
            Arm(f"{w} all cut+distilled", f"{w}.all.cut", (*DISTILLED, MORE), full),
            Arm(f"{w} all", f"{w}.all", (MORE,)),
            Arm(f"{w} cut+distilled", f"{w}.checked.cut", DISTILLED, full),
            Arm(f"{w} checked", f"{w}.checked"),
        ]
    found += [
        Arm("real plain", "real", PLAIN, "real plain"),
        Arm("real mined", "real.mined", (), "real mined"),
        Arm("real cut", "real.cut", (), "real cut"),
        Arm(alone, "real.cut", only, alone),
    ]
    for w in writers:
        found += [
            Arm(f"{w} bare, plain settings", f"{w}.bare", PLAIN, "real plain"),
            Arm(f"{w} bare", f"{w}.bare"),
            Arm(f"{w} bare + filters", f"{w}.bare-filtered"),
            Arm(f"{w} bare + round trip", f"{w}.bare-checked"),
            Arm(f"{w} bare + mined", f"{w}.bare.mined", (), "real mined"),
            Arm(f"{w} bare + cut", f"{w}.bare.cut", (), "real cut"),
            Arm(f"{w} bare + cut, distilled", f"{w}.bare.cut", DISTILLED, full),
            Arm(f"{w} prompt", f"{w}.written"),
            Arm(f"{w} prompt, filters", f"{w}.filtered"),
            Arm(f"{w} mined", f"{w}.checked.mined", (), "real mined"),
            Arm(f"{w} cut", f"{w}.checked.cut", (), "real cut"),
            Arm(f"{w} distilled alone", f"{w}.checked.cut", only, alone),
            Arm(f"{w} one a passage", f"{w}.one"),
            Arm(f"{w} two a passage", f"{w}.two"),
        ]
    return found


def split(data: Path, work: Path) -> None:
    """Half A's passages and real pairs; half B's questions as a BEIR folder."""
    from generator.records import make_record, to_json

    corpus = lines(data / "corpus.jsonl")
    queries = {q["_id"]: q["text"] for q in lines(data / "queries.jsonl")}
    half_a = set(sorted({p["title"] for p in corpus})[0::2])
    passages = {p["_id"]: p for p in corpus}
    judged = [line.split("\t") for line in (data / "qrels/test.tsv").read_text().splitlines()[1:]]
    write(work / "documents" / "corpus.jsonl", (p for p in corpus if p["title"] in half_a))
    full = {key: whole(p) for key, p in passages.items()}
    halved = (key for key, p in passages.items() if p["title"] in half_a)
    write(work / "full.jsonl", ({"_id": key, "text": full[key]} for key in halved))
    test = [(q, d) for q, d, _ in judged if passages[d]["title"] not in half_a]
    write(work / "test" / "corpus.jsonl", ({"_id": k, "text": t} for k, t in full.items()))
    write(work / "test" / "queries.jsonl", ({"_id": q, "text": queries[q]} for q, _ in test))
    qrels = work / "test" / "qrels" / "test.tsv"
    qrels.parent.mkdir(exist_ok=True)
    rows = "".join(f"{q}\t{d}\t1\n" for q, d in test)
    qrels.write_text(f"query-id\tcorpus-id\tscore\n{rows}", encoding="utf-8")
    with (work / "real.jsonl").open("w", encoding="utf-8") as file:
        for query, document, _ in judged:
            if passages[document]["title"] in half_a:
                record = make_record(
                    family="real", task=TASK, language="en", query=queries[query],
                    positives=(full[document],),
                )  # fmt: skip
                file.write(to_json(record) + "\n")


def whole(passage: dict) -> str:
    """Title and text, as trine's passages have them."""
    from generator.corpus.blocks import joined

    return f"{joined(passage['title'])} {joined(passage['text'])}"


def generate(options: argparse.Namespace, work: Path, name: str, model: str) -> None:
    """Questions of a writer for half A's passages: trine's prompt, and a bare one."""
    from generator import pipeline

    for kind in ("trine", "bare"):
        config = run_of(options, work, name, model, kind)
        started = time.monotonic()
        drawn = pipeline.generate(config)
        kept = pipeline.dedupe_run(config)
        seconds = time.monotonic() - started
        print(f"{name}, {kind}: {drawn.seen.total():,} draws, {drawn.passed.total():,} written,"
              f" {kept.passed.total():,} kept, {seconds:.0f} s", flush=True)  # fmt: skip


def run_of(options: argparse.Namespace, work: Path, name: str, model: str, kind: str) -> RunConfig:
    """The configuration of a writer's run."""
    from generator.config import load_config

    own, rounds, family = [], options.per_passage, "grounded-question"
    if kind == "bare":
        family, rounds = "bare", 5
        own = [f"tasks={bare_taxonomy(work / 'bare')}", "filters={length: false}"]
    return load_config(
        None,
        [
            f"corpus={{paths: {work / 'documents'}, per_passage: {rounds}, {WHOLE}}}",
            f"families=[{family}]", f"count={options.limit or 10**6}", "languages=[en]",
            f"form={'auto' if kind == 'bare' else 'staged'}",
            f"llm.backend={options.backend}", f"llm.model={model}", *own, *options.set,
        ],
        {},
        output=str(work / "runs" / f"{name}-{kind}"),
    )  # fmt: skip


def bare_taxonomy(folder: Path) -> Path:
    """A taxonomy of one family, whose prompt is one sentence and the passage."""
    import yaml

    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    (folder / "prompts" / "bare.j2").write_text(BARE, encoding="utf-8")
    step = {"template": "bare.j2", "reply": {"query": "string"}, "max_tokens": 128}
    record = {"task": TASK, "query": "{{ query }}", "positives": ["{{ document }}"]}
    family = {
        "version": 1, "description": "A bare prompt.", "share": 1, "languages": "one",
        "in_batch": "all", "grounded": {},
        "forms": {"single": {"steps": {"write": step}, "record": record}},
    }  # fmt: skip
    taxonomy = {"languages": {"en": {"name": "English", "weight": 1}}, "families": {"bare": family}}
    place = folder / "tasks.yaml"
    place.write_text(yaml.safe_dump(taxonomy, sort_keys=False), encoding="utf-8")
    return place


def prepare(options: argparse.Namespace, work: Path) -> None:
    """The rows of every arm: as many pairs as there are real ones, but for `all` and `kept`."""
    rows = work / "rows"
    write(rows / "real.jsonl", lines(work / "real.jsonl"))
    for name, model in options.writer:
        runs = work / "runs"
        written = lines(runs / f"{name}-trine" / "stages" / "generate.jsonl")
        kept = lines(runs / f"{name}-trine" / "records.jsonl")
        bare = lines(runs / f"{name}-bare" / "stages" / "generate.jsonl")
        passed = filtered(bare, run_of(options, work, name, model, "trine"))
        checked, bare_checked = round_trip((kept, bare), options.teacher, work / "full.jsonl")
        print(f"{name}: {len(written):,} written, {len(kept):,} kept, {len(checked):,} come back;"
              f" bare: {len(bare):,} written, {len(passed):,} would be kept,"
              f" {len(bare_checked):,} come back", flush=True)  # fmt: skip
        write(rows / f"{name}.bare.jsonl", bare[:PAIRS])
        write(rows / f"{name}.bare-filtered.jsonl", passed[:PAIRS])
        write(rows / f"{name}.bare-checked.jsonl", bare_checked[:PAIRS])
        write(rows / f"{name}.written.jsonl", written[:PAIRS])
        write(rows / f"{name}.filtered.jsonl", kept[:PAIRS])
        write(rows / f"{name}.checked.jsonl", checked[:PAIRS])
        write(rows / f"{name}.all.jsonl", checked)
        write(rows / f"{name}.kept.jsonl", kept)
        for number, word in ((1, "one"), (2, "two")):
            write(rows / f"{name}.{word}.jsonl", at_most(checked, number)[:PAIRS])
    writers = [name for name, _ in options.writer]
    jobs = [(source, kind) for source in ("real", *(f"{w}.checked" for w in writers))
            for kind in ("mined", "cut")]  # fmt: skip
    jobs += [(f"{w}.{which}", "cut") for w in writers for which in ("kept", "all")]
    jobs += [(f"{w}.bare", kind) for w in writers for kind in ("mined", "cut")]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(options.processes, len(jobs)), mp_context=spawned) as pool:
        for line in pool.map(mine, repeat(options.teacher), repeat(work), *zip(*jobs, strict=True)):
            print(line, flush=True)


def mine(teacher: str, work: Path, source: str, kind: str) -> str:
    """Negatives for the rows of one arm, scored by the teacher; `cut`: false ones are left out."""
    from generator.mineconfig import MineConfig
    from generator.mining import mine_file

    config = MineConfig(
        corpus=work / "full.jsonl", encoder=teacher, teacher=teacher,
        percent=0.95 if kind == "cut" else None, **MINED,
    )  # fmt: skip
    out = work / "mined" / f"{source}.{kind}"
    mined = mine_file(work / "rows" / f"{source}.jsonl", out, config)
    (work / "rows" / f"{source}.{kind}.jsonl").write_bytes((out / "records.jsonl").read_bytes())
    return f"{source}.{kind}: {dict(mined.decisions.most_common(6))}"


def filtered(rows: Iterable[dict], config: RunConfig) -> list[dict]:
    """The records that the filters of a run of `grounded-question` would keep."""
    from generator.filters import apply, compile_rules
    from generator.plan import make_plan
    from generator.records import Record, from_json

    chain = compile_rules(make_plan(config).filter_spec("grounded-question"))
    return [row for row in rows if apply(chain, from_json(Record, json.dumps(row)), {}) is None]


def round_trip(groups: Iterable[list[dict]], teacher: str, corpus: Path) -> list[list[dict]]:
    """The records whose question finds its own passage first, by the teacher (Promptagator)."""
    from generator.encoders import load
    from generator.search.exact import exact_search

    texts = [passage["text"] for passage in lines(corpus)]
    place = {text: number for number, text in enumerate(texts)}
    encoder = load(teacher)
    documents, kept = encoder.encode(texts, kind="document"), []
    for records in groups:
        asked = encoder.encode([r["query"] for r in records], kind="query")
        found = exact_search(asked, documents, 1)
        first = (int(found.row(row)[0][0]) for row in range(len(records)))
        kept.append([
            record for record, number in zip(records, first, strict=True)
            if number == place.get(record["positives"][0]["text"])
        ])  # fmt: skip
    return kept


def at_most(records: list[dict], number: int) -> list[dict]:
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for record in records:
        key = record["positives"][0]["id"]
        seen[key] += 1
        if seen[key] <= number:
            kept.append(record)
    return kept


def train_all(options: argparse.Namespace, work: Path) -> None:
    """Every arm with every seed that has no score yet, several processes side by side."""
    import torch

    shutil.rmtree(work / "claims", ignore_errors=True)
    (work / "claims").mkdir(parents=True)
    print(f"{len(unscored(options, work))} students to train", flush=True)
    command = [sys.executable, __file__, *sys.argv[1:], "--worker"]
    running, devices = [], torch.cuda.device_count()
    for number in range(options.processes):
        own = {"CUDA_VISIBLE_DEVICES": str(number % devices)} if devices > 1 else {}
        running.append(subprocess.Popen(command, env={**os.environ, **own}))
    for process in running:
        process.wait()


def unscored(options: argparse.Namespace, work: Path) -> list[tuple[Arm, int]]:
    """The arms and seeds that are still to be trained."""
    done = {(r["arm"], r["seed"]) for r in results(work)}
    wanted = arms([name for name, _ in options.writer])
    if options.arm:
        wanted = [arm for arm in wanted if any(text in arm.name for text in options.arm)]
    pairs = [(arm, seed) for seed in options.seeds for arm in wanted]
    return [(arm, seed) for arm, seed in pairs if (arm.name, seed) not in done]


def train_some(options: argparse.Namespace, work: Path) -> None:
    """One process's part: whatever no other has claimed. A score is a line of results.jsonl."""
    from generator.trainer.config import load_train_config
    from generator.trainer.loop import train

    for arm, seed in unscored(options, work):
        if time.time() > options.until:
            return
        label = f"{arm.name}-{seed}".replace(" ", "_")
        try:
            (work / "claims" / label).touch(exist_ok=False)
        except FileExistsError:
            continue
        settings = [
            *SETTINGS, f"eval.folder={work / 'test'}", f"eval.task='{TASK}'", f"seed={seed}",
            *arm.settings, *options.train_set,
        ]  # fmt: skip
        config = load_train_config(
            None, settings, base=options.base, output=str(work / "models" / label)
        )
        started = time.monotonic()
        try:
            done = train([work / "rows" / f"{arm.rows}.jsonl"], config, export=False)
        except Exception as exc:  # noqa: BLE001 - the other arms go on
            print(f"{arm.name}, seed {seed}: {type(exc).__name__}: {exc}", flush=True)
            continue
        shutil.rmtree(work / "models" / label)
        line = {
            "arm": arm.name, "real": arm.real, "seed": seed, "ndcg": done.scores[-1][1],
            "steps": done.steps, "seconds": round(time.monotonic() - started, 1),
        }  # fmt: skip
        with (work / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def table(work: Path) -> None:
    """Mean and deviation over the seeds, and the share of what the real questions reach."""
    scores, real, steps = defaultdict(list), {}, {}
    for row in results(work):
        scores[row["arm"]].append(row["ndcg"])
        real[row["arm"]], steps[row["arm"]] = row["real"], row["steps"]
    print("| arm | steps | seeds | nDCG@10 | ± | of real |\n|---|---|---|---|---|---|")
    for arm, values in scores.items():
        spread = f"{stdev(values):.4f}" if len(values) > 1 else ""
        base = scores.get(real[arm])
        share = f"{mean(values) / mean(base):.3f}" if base else ""
        print(f"| {arm} | {steps[arm]} | {len(values)} | {mean(values):.4f} | {spread} | {share} |")


def results(work: Path) -> list[dict]:
    place = work / "results.jsonl"
    return lines(place) if place.is_file() else []


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8") if line.strip()]


def write(path: Path, rows: Iterable[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def named(text: str) -> tuple[str, str]:
    name, _, model = text.partition("=")
    return name, model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", required=True, help="a sentence-transformers folder")
    parser.add_argument("--base", default="smollm2-135m-instruct", help="the student")
    parser.add_argument("--writer", type=named, action="append", default=[], metavar="NAME=MODEL")
    parser.add_argument("--backend", default="transformers")
    parser.add_argument("--per-passage", type=int, default=20)
    parser.add_argument("--limit", type=int, help="draws of a writer")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--arm", action="append", default=[], help="arms with this in their name")
    parser.add_argument("--out", type=Path, default=Path("outputs/synthetic-vs-real"))
    parser.add_argument("--step", action="append", default=[])
    parser.add_argument("--set", action="append", default=[], help="of the writers' runs")
    parser.add_argument("--train-set", action="append", default=[])
    parser.add_argument("--until", type=float, default=float("inf"), metavar="UNIX_TIME",
                        help="begin no student after this")  # fmt: skip
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = options.out
    if options.worker:
        train_some(options, work)
        return
    steps = options.step or ["generate", "prepare", "train", "table"]
    if not (work / "real.jsonl").is_file():
        split(options.data, work)
    if "generate" in steps:
        for name, model in options.writer:
            generate(options, work, name, model)
    if "prepare" in steps:
        prepare(options, work)
    if "train" in steps:
        train_all(options, work)
    if "table" in steps:
        table(work)


if __name__ == "__main__":
    main()
