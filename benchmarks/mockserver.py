"""A mock server for a benchmark, and the trine commands that it is asked by."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOCK = Path(__file__).parent.parent / "tests" / "mock_openai.py"


@contextmanager
def server(port: int, *flags: str) -> Iterator[None]:
    """`tests/mock_openai.py` on a port."""
    command = [sys.executable, str(MOCK), "--port", str(port), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


def stats(port: int) -> dict[str, int]:
    """What it has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as reply:
        found: dict[str, int] = json.load(reply)
    return found


def trine(verb: str, folder: Path, port: int, count: int, concurrency: int | None) -> list[str]:
    """A run of the paper's mix in English, with trine's own filters and journal."""
    sets = [
        f"llm.base_url=http://127.0.0.1:{port}/v1", "llm.backend=openai", "languages=[en]",
        f"llm.concurrency={concurrency or 'null'}",
    ]  # fmt: skip
    return [
        str(Path(sys.executable).with_name("trine")), verb, "-q", "-c", "e5-mistral", "-m", "mock",
        "-o", str(folder), "-n", str(count), *(word for key in sets for word in ("--set", key)),
    ]  # fmt: skip
