"""How near a cap on cost a run ends: `trine run --max-cost` against the mock server, raised twice.

python benchmarks/caps.py [PORT]
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

MOCK = Path(__file__).parent.parent / "tests" / "mock_openai.py"
COMMAND = [sys.executable, "-c", "from generator.cli import main; main()", "run", "-q"]
CAPS = (0.10, 0.50, 2.00)
PAID = "SELECT prompt_tokens * 2.5e-6 + completion_tokens * 10e-6 FROM answers"


def spend(cap: float, folder: Path, port: int) -> str:
    """Run up to a cap; one line on what was spent."""
    keys = {
        "llm.base_url": f"http://127.0.0.1:{port}/v1",
        "llm.concurrency": 256,
        "llm.input_usd_per_million": 2.5,
        "llm.output_usd_per_million": 10,
        "languages": "[en,ja]",
    }
    flags = [text for key, value in keys.items() for text in ("--set", f"{key}={value}")]
    flags += ["-c", "e5-mistral", "-n", "20000", "-o", str(folder), "--max-cost", str(cap)]
    ended = subprocess.run([*COMMAND, *flags], capture_output=True, check=False)
    db = sqlite3.connect(folder / "journal.sqlite")
    paid = [row[0] for row in db.execute(PAID)]
    db.close()
    over = sum(paid) - cap
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as reply:
        repeated = json.load(reply)["repeated"]
    return (
        f"cap ${cap:.2f}: spent ${sum(paid):.4f} in {len(paid)} answers,"
        f" {over / max(paid):+.2f} of the dearest answer; exit {ended.returncode},"
        f" paid twice: {repeated}"
    )


def main() -> None:
    """Start the mock, and run to one cap after the other in one folder."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8951
    server = subprocess.Popen(
        [sys.executable, str(MOCK), "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        with tempfile.TemporaryDirectory() as folder:
            for cap in CAPS:
                print(spend(cap, Path(folder) / "run", port))
    finally:
        server.kill()


if __name__ == "__main__":
    main()
