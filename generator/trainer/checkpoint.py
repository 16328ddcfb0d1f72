"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all; never pickles."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from generator.recordfile import disk_error

_EVERY_S = 60.0
_SHARE = 20  # of the time, one part goes into saving


class Pace:
    """When a checkpoint is due: every `steps`, or by the clock where it is None.

    By the clock: a minute after the last one, or 20 times as long as that took, if that is more.
    A step takes seconds on a CPU and milliseconds on a GPU; saving takes seconds on both.
    """

    def __init__(self, steps: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps, self._clock = steps, clock
        self._next = clock() + _EVERY_S

    def due(self, step: int) -> bool:
        """Whether to save after so many steps."""
        return self._clock() >= self._next if self._steps is None else step % self._steps == 0

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around a save."""
        began = self._clock()
        yield
        ended = self._clock()
        self._next = ended + max(_EVERY_S, _SHARE * (ended - began))


def save(folder: Path, name: str, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> Path:
    """Write `folder/name`, then delete other checkpoints of the folder.

    Raises RunError where the disk is full or may not be written to; the last checkpoint stays.
    """
    part, place = folder / f".{name}.part", folder / name
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        flat = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        save_file(flat, part / "state.safetensors")
        (part / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        for file in (*part.iterdir(), part):
            _sync(file)
        shutil.rmtree(place, ignore_errors=True)
        part.replace(place)
        _sync(folder)
    except OSError as exc:
        shutil.rmtree(part, ignore_errors=True)
        raise disk_error(exc, place) from exc
    for other in folder.iterdir():
        if other != place and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
    return place


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    found = [p for p in folder.glob("step-*") if (p / "state.json").is_file()]
    return max(found, key=lambda path: path.name, default=None)


def load(place: Path, device: torch.device) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the state of a checkpoint."""
    with safe_open(place / "state.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
    state: dict[str, Any] = json.loads((place / "state.json").read_text(encoding="utf-8"))
    return tensors, state


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
