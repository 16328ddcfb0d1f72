"""Memory and speed of reading a corpus that is larger than one would hold.

    python benchmarks/corpus.py --megabytes 200

A corpus of pseudo-words in sections, each passage another, is written as one JSONL file and read
into a run's folder by a process of its own; printed are its peak memory beyond what it had after
the imports, the passages, and the bytes of memory for each.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

CHILD = "--child"


def write(path: Path, megabytes: int) -> None:
    """Documents of some 20 kB, until the file is large enough."""
    draw = random.Random(1)
    words = ["".join(draw.choices("aeioulnrstbdgkm", k=draw.randint(3, 9))) for _ in range(20_000)]
    size = 0
    with path.open("w") as file:
        while size < megabytes * 1_000_000:
            parts = []
            for section in range(8):
                sentences = [
                    " ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(30)
                ]
                parts.append(f"## Section {section} {draw.choice(words)}\n\n{' '.join(sentences)}")
            size += file.write(
                json.dumps({"title": draw.choice(words), "text": "\n\n".join(parts)})
            )
            size += file.write("\n")


def read(folder: Path) -> None:
    from generator.corpus.build import open_passages
    from generator.corpusconfig import CorpusConfig
    from generator.langid import detect
    from generator.runs import RunFolder

    detect("The model of languages is loaded before anything is measured.")
    before, start = peak(), time.perf_counter()
    config = CorpusConfig(paths=(str(folder / "corpus.jsonl"),))
    _, found = open_passages(config, RunFolder(folder / "run"))
    more, seconds = peak() - before, time.perf_counter() - start
    each = more * 1e6 / found.passages
    print(f"{found.passages:,} passages  {seconds:.0f} s  {more:.0f} MB more  {each:.0f} B each")


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    if sys.argv[1:2] == [CHILD]:
        read(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    megabytes = parser.parse_args().megabytes
    with TemporaryDirectory() as folder:
        write(Path(folder) / "corpus.jsonl", megabytes)
        print(f"{megabytes} MB: ", end="", flush=True)
        subprocess.run([sys.executable, __file__, CHILD, folder], check=True)


if __name__ == "__main__":
    main()
