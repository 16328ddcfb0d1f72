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
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

PAIRS = 3600
TASK = "Given a question, retrieve the passage that answers it."
BARE = "Write a question that this text answers.\n\n{{ document }}\n"
WHOLE = "tokens: 1024, overlap: 0, min_tokens: 0, near_threshold: null"
MINED = {"negatives": 4, "rank_max": 50, "temperature": 0.05}
PLAIN = ("epochs=3", "learning_rate=1e-4")
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


def arms(writers: Iterable[str]) -> list[Arm]:
    """Every arm, the most telling first."""
    full = "real cut+distilled"
    found = [
        Arm("real", "real"),
        Arm(full, "real.cut", DISTILLED, full),
    ]
    for w in writers:
        found += [
            Arm(f"{w} checked", f"{w}.checked"),
            Arm(f"{w} cut+distilled", f"{w}.checked.cut", DISTILLED, full),
            Arm(f"{w} all", f"{w}.all"),
            Arm(f"{w} all cut+distilled", f"{w}.all.cut", DISTILLED, full),
        ]
    found += [
        Arm("real mined", "real.mined", (), "real mined"),
        Arm("real cut", "real.cut", (), "real cut"),
        Arm("real distilled alone", "real.cut", (*DISTILLED[::2], "loss.contrastive_weight=0"),
            "real distilled alone"),
        Arm("real plain", "real", PLAIN, "real plain"),
    ]  # fmt: skip
    for w in writers:
        found += [
            Arm(f"{w} bare prompt", f"{w}.bare"),
            Arm(f"{w} written", f"{w}.written"),
            Arm(f"{w} filtered", f"{w}.filtered"),
            Arm(f"{w} bare prompt, plain", f"{w}.bare", PLAIN, "real plain"),
            Arm(f"{w} checked, plain", f"{w}.checked", PLAIN, "real plain"),
            Arm(f"{w} mined", f"{w}.checked.mined", (), "real mined"),
            Arm(f"{w} cut", f"{w}.checked.cut", (), "real cut"),
            Arm(f"{w} distilled alone", f"{w}.checked.cut",
                (*DISTILLED[::2], "loss.contrastive_weight=0"), "real distilled alone"),
            Arm(f"{w} one a passage", f"{w}.one"),
            Arm(f"{w} two a passage", f"{w}.two"),
        ]  # fmt: skip
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
    from generator.config import load_config

    tasks = bare_taxonomy(work / "bare")
    for kind, own, rounds in (
        ("trine", [], options.per_passage),
        ("bare", [f"tasks={tasks}", "filters={length: false}"], 5),
    ):
        family = "grounded-question" if kind == "trine" else "bare"
        config = load_config(
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
        started = time.monotonic()
        drawn = pipeline.generate(config)
        kept = pipeline.dedupe_run(config)
        seconds = time.monotonic() - started
        print(f"{name}, {kind}: {drawn.seen.total():,} draws, {drawn.passed.total():,} written,"
              f" {kept.passed.total():,} kept, {seconds:.0f} s", flush=True)  # fmt: skip


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
    """The rows of every arm: as many pairs as there are real ones, unless the arm is `all`."""
    from generator.mineconfig import MineConfig
    from generator.mining import mine_file

    rows = work / "rows"
    write(rows / "real.jsonl", lines(work / "real.jsonl"))
    for name, _ in options.writer:
        runs = work / "runs"
        written = lines(runs / f"{name}-trine" / "stages" / "generate.jsonl")
        kept = lines(runs / f"{name}-trine" / "records.jsonl")
        checked = round_trip(kept, options.teacher, work / "full.jsonl")
        print(f"{name}: {len(written):,} written, {len(kept):,} kept, {len(checked):,} come back")
        bare = lines(runs / f"{name}-bare" / "stages" / "generate.jsonl")
        write(rows / f"{name}.bare.jsonl", bare[:PAIRS])
        write(rows / f"{name}.written.jsonl", written[:PAIRS])
        write(rows / f"{name}.filtered.jsonl", kept[:PAIRS])
        write(rows / f"{name}.checked.jsonl", checked[:PAIRS])
        write(rows / f"{name}.all.jsonl", checked)
        for number, word in ((1, "one"), (2, "two")):
            write(rows / f"{name}.{word}.jsonl", at_most(checked, number))
    generated = [f"{name}.{kind}" for name, _ in options.writer for kind in ("checked", "all")]
    for source in ["real", *generated]:
        for kind, percent in (("mined", None), ("cut", 0.95)):
            if source.endswith("all") and kind == "mined":
                continue
            config = MineConfig(
                corpus=work / "full.jsonl", encoder=options.teacher, teacher=options.teacher,
                percent=percent, **MINED,
            )  # fmt: skip
            out = work / "mined" / f"{source}.{kind}"
            mined = mine_file(rows / f"{source}.jsonl", out, config)
            print(f"{source}.{kind}: {dict(mined.decisions.most_common(6))}", flush=True)
            (rows / f"{source}.{kind}.jsonl").write_bytes((out / "records.jsonl").read_bytes())


def round_trip(records: list[dict], teacher: str, corpus: Path) -> list[dict]:
    """The records whose question finds its own passage first, by the teacher (Promptagator)."""
    from generator.encoders import load
    from generator.search.exact import exact_search

    texts = [passage["text"] for passage in lines(corpus)]
    place = {text: number for number, text in enumerate(texts)}
    encoder = load(teacher)
    asked = encoder.encode([r["query"] for r in records], kind="query")
    found = exact_search(asked, encoder.encode(texts, kind="document"), 1)
    return [
        record for row, record in enumerate(records)
        if int(found.row(row)[0][0]) == place.get(record["positives"][0]["text"])
    ]  # fmt: skip


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
    done = {(r["arm"], r["seed"]) for r in results(work)}
    wanted = arms(name for name, _ in options.writer)
    if options.arm:
        wanted = [arm for arm in wanted if any(text in arm.name for text in options.arm)]
    jobs = [
        (number, seed)
        for seed in options.seeds
        for number, arm in enumerate(wanted)
        if (arm.name, seed) not in done
    ]
    print(f"{len(jobs)} students to train", flush=True)
    parts = [jobs[i :: options.processes] for i in range(options.processes)]
    command = [sys.executable, __file__, *sys.argv[1:], "--worker"]
    running = [subprocess.Popen([*command, json.dumps(part)]) for part in parts if part]
    for process in running:
        process.wait()


def train_some(options: argparse.Namespace, work: Path, jobs: list[tuple[int, int]]) -> None:
    """One process's arms. A score is a line of results.jsonl."""
    from generator.trainer.config import load_train_config
    from generator.trainer.loop import train

    wanted = arms(name for name, _ in options.writer)
    if options.arm:
        wanted = [arm for arm in wanted if any(text in arm.name for text in options.arm)]
    for number, seed in jobs:
        arm = wanted[number]
        output = work / "models" / f"{arm.name}-{seed}".replace(" ", "_")
        settings = [
            *SETTINGS, f"eval.folder={work / 'test'}", f"eval.task='{TASK}'", f"seed={seed}",
            *arm.settings, *options.train_set,
        ]  # fmt: skip
        config = load_train_config(None, settings, base=options.base, output=str(output))
        started = time.monotonic()
        try:
            done = train([work / "rows" / f"{arm.rows}.jsonl"], config, export=False)
        except Exception as exc:  # noqa: BLE001 - the other arms go on
            print(f"{arm.name}, seed {seed}: {type(exc).__name__}: {exc}", flush=True)
            continue
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
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = options.out
    if options.worker is not None:
        train_some(options, work, options.worker)
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
