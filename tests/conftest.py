"""Worlds for tests: a clean environment, a mock server of the OpenAI protocol, a small taxonomy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("hypothesis"):  # the environment of the vLLM suite has none
    from hypothesis import settings

    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent

SMALL_TASKS = """
languages:
  en: {name: English, weight: 3, script: Latn}
  ja: {name: Japanese, weight: 1, script: Jpan}
  "no": {name: Norwegian, script: Latn}
lists:
  topics: [rivers, bread, chess]
filters:
  empty: {}
families:
  pairs:
    version: 1
    description: A question finds a passage.
    share: 1
    axes:
      tone: [plain, formal]
    forms:
      single:
        brainstorm:
          template: brainstorm.j2
          tasks_per_call: 3
          axes: {topic: {list: topics, order: cycle}}
        steps:
          write:
            template: write.j2
            reply: {question: string, passage: string, decoy: string}
        record:
          task: "{{ task }}"
          query: "{{ question }}"
          positives: ["{{ passage }}"]
          negatives: ["{{ decoy }}"]
  steps:
    version: 1
    description: One text after the other.
    share: 1
    axes:
      topic: {list: topics}
    forms:
      staged:
        steps:
          passage: {template: passage.j2, reply: {passage: string}}
          question: {template: question.j2, reply: {question: string}}
        record:
          task: Find the passage.
          query: "{{ question }}"
          positives: ["{{ passage }}"]
"""
SMALL_PROMPTS = {
    "brainstorm.j2": "Name {{ tasks_per_call }} tasks about {{ topic }}.",
    "write.j2": "Task: {{ task }}. A {{ tone }} example in {{ language }}.",
    "passage.j2": "Write on {{ topic }} in {{ language }}.",
    "question.j2": "Ask what this answers, in {{ language }}: {{ passage }}",
}


class MockServer:
    """A running mock server: its address and what it has counted."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def stats(self) -> dict[str, Any]:
        """requests, repeated, in_flight, peak, by_status."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as reply:
            found: dict[str, Any] = json.load(reply)
        return found


StartServer = Callable[..., MockServer]


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No key, no TRINE_ variable and no cache of the user's reaches a test; the cwd is empty."""
    for name in os.environ:
        if name.startswith(("TRINE_", "OPENAI_", "HF_", "HUGGING")):
            monkeypatch.delenv(name)
    work = tmp_path_factory.mktemp("work")
    monkeypatch.setenv("HF_HOME", str(work.parent / "hf-home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(work)


@pytest.fixture
def small_taxonomy(tmp_path: Path) -> tuple[Path, Path]:
    """A taxonomy of two families and three languages: paths of tasks.yaml and prompts/."""
    prompts = tmp_path / "small" / "prompts"
    prompts.mkdir(parents=True)
    for name, text in SMALL_PROMPTS.items():
        (prompts / name).write_text(text, encoding="utf-8")
    tasks = tmp_path / "small" / "tasks.yaml"
    tasks.write_text(SMALL_TASKS, encoding="utf-8")
    return tasks, prompts


@pytest.fixture
def mock_server() -> Iterator[StartServer]:
    """Start mock servers: `mock_server("--latency", "0.01", "--rate-429", "0.1")`.

    `script="mock_batches.py"` starts a provider of batches instead.
    """
    running: list[subprocess.Popen[str]] = []

    def start(*flags: str, port: int = 0, script: str = "mock_openai.py") -> MockServer:
        command = [sys.executable, str(ROOT / "tests" / script), "--port", str(port)]
        process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("listening on ")
        return MockServer(int(said.rpartition(":")[2].removesuffix("/v1\n")))

    yield start
    for process in running:
        process.kill()
        process.communicate()
