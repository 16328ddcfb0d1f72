"""The command as tests call it: in this process for its words, in one of its own for signals."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from generator.cli import main

CODE = "from generator.cli import main; main()"
COMMAND = [sys.executable, "-c", CODE]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Trine:
    """Runs `trine` in this process: `trine("run", "-c", "recipe.yaml")`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ended:
        """Exit code, stdout and stderr of one call."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)


def start(*arguments: object, before: str = "pass") -> subprocess.Popen[str]:
    """`trine` in a process of its own; `before` is Python that it runs first."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}; {CODE}", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def recipe(small_taxonomy: tuple[Path, Path], folder: Path, **keys: object) -> Path:
    """A recipe over the small taxonomy, in `folder`, with the scripted model if not another."""
    tasks, prompts = small_taxonomy
    lines = {"count": 40, "tasks": tasks, "prompts": prompts, "output": folder / "run", **keys}
    lines.setdefault("llm", "{backend: scripted}")
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), encoding="utf-8")
    return path


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: as a full disk, as far as a program can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
