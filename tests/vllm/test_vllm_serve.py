"""`vllm serve`, a real server, through the `openai` back end; and its prompts beside ours."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Session

from generator.config import cache_folder
from generator.llm.converted import as_folder
from generator.llm.weights import EMBEDDED, find_weights
from generator.records import Message, Params, Prompt

DEADLINE_S = 240.0


def reply(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = as_folder(find_weights(EMBEDDED), cache_folder())
    log = tmp_path_factory.mktemp("serve") / "log"
    flags = ("--max-model-len", "2048", "--enforce-eager", "--kv-cache-memory-bytes", "536870912",
             "--no-enable-chunked-prefill", "--host", "127.0.0.1", "--port", str(port),
             "--served-model-name", "smollm2")  # fmt: skip
    # The module behind `vllm serve`: that command asks for a distribution of the name `vllm`,
    # and the CPU build's is another.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *flags], stdout=out, stderr=out)
    start = time.monotonic()
    while True:
        try:
            reply(f"http://127.0.0.1:{port}/health")
            break
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() - start < DEADLINE_S, log.read_text()[-3000:]
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(60)


def test_the_server_makes_the_same_prompt_of_a_chat(server: str, session: Session) -> None:
    messages = [{"role": "user", "content": "雨について書いてください。 Write about rain."}]
    theirs = reply(f"{server}/tokenize", {"model": "smollm2", "messages": messages})["tokens"]

    async def ours() -> list[int]:
        tokenizer = (await session.llm._started()).get_tokenizer()
        asked = Prompt("m", "", "", 0, (Message("user", messages[0]["content"]),), Params(), "")
        return await session.llm._tokens(tokenizer, asked)

    assert session.runner.run(ours()) == theirs


def test_the_server_cuts_off_what_loops_where_it_is_asked_to(server: str) -> None:
    """As docs/vllm.md has it; `writing.py` reads the finish reason."""
    body = {
        "model": "smollm2", "messages": [{"role": "user", "content": "Sing."}], "max_tokens": 600,
        "allowed_token_ids": [28], "ignore_eos": True,
        "repetition_detection": {"max_pattern_size": 64, "min_count": 4},
    }  # fmt: skip
    answer = reply(f"{server}/v1/chat/completions", body)
    assert answer["choices"][0]["finish_reason"] == "repetition"
    assert answer["usage"]["completion_tokens"] < 100


def test_a_run_on_the_server(server: str, tmp_path: Path) -> None:
    sets = ("llm.backend=openai", f"llm.base_url={server}/v1", "count=6", "form=staged",
            "families=[long-short]", "llm.concurrency=8", "train=null")  # fmt: skip
    command = [sys.executable, "-c", "from generator.cli import main; main()", "run", "-q", "-c",
               "quickstart", "-m", "smollm2", "-o", str(tmp_path / "run")]  # fmt: skip
    flags = [part for one in sets for part in ("--set", one)]
    done = subprocess.run(
        [*command, *flags], capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines
    assert all(json.loads(line)["provenance"]["model"] == "smollm2" for line in lines)
    rejected = (tmp_path / "run" / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) + len(rejected) == 6
    assert not [one for one in map(json.loads, rejected) if one["stage"] == "generate"]
