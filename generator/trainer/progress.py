"""The line that a run shows, and its log: loss, rate, tokens/s, MFU, recomputation, memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Self, TextIO

import torch

from generator.errors import MissingExtra
from generator.text import clock
from generator.trainer.batch import Batch
from generator.trainer.config import TrainConfig
from generator.trainer.engine import Engine
from generator.trainer.flops import peak_flops, step_flops
from generator.trainer.gradcache import Outcome

_EVERY_S = 1.0


class Meter:
    """Counts what steps did. Writes a JSON line a step to `log.jsonl` in the run's folder.

    MFU: useful operations (`flops.py` has the convention) over the device's dense bfloat16 peak.
    There is no padding to report: the stream has none.
    """

    def __init__(
        self, engine: Engine, config: TrainConfig, steps: int, report: Callable[[str], None]
    ) -> None:
        self._engine, self._config, self._steps, self._report = engine, config, steps, report
        self._log: TextIO | None = None
        self._board: Any = None
        self._last = self._shown = self._began = time.monotonic()
        self._read = 0
        self._line: dict[str, Any] = {}
        lora = config.lora is not None
        self._adapters = engine.parameters.count if lora else 0
        self._peak = peak_flops(engine.parameters.device)

    def __enter__(self) -> Self:
        if self._engine.world.is_first:
            self._config.output.mkdir(parents=True, exist_ok=True)
            if self._config.tracker == "tensorboard":
                self._board = _board(self._config)
            self._log = (self._config.output / "log.jsonl").open("a", encoding="utf-8")
        self._last = self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
        if self._board is not None:
            self._board.close()

    def step(self, step: int, batch: Batch, outcome: Outcome, rate: float) -> None:
        """Note a step that was launched; its time is the distance to the one before."""
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        lengths = batch.lengths
        share = outcome.recomputed / max(outcome.tokens, 1)
        useful, executed = step_flops(
            self._engine.model.shape, lengths, adapters=self._adapters,
            causal=self._engine.model.causal, recomputed=share,
        )  # fmt: skip
        line = {
            "step": step + 1,
            "learning_rate": rate,
            "tokens": int(lengths.sum()),
            "tokens_per_s": round(int(lengths.sum()) / seconds, 1),
            "recomputed": round(share, 3),
            "chunks": outcome.chunks,
        }
        if self._peak:
            peak = self._peak * self._engine.world.size * seconds
            line |= {"mfu": round(useful / peak, 4), "hfu": round(executed / peak, 4)}
            line["peak_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        self._line = line

    def read(self, loss: float, norm: float) -> None:
        """The loss of the step that was launched last but one, or last."""
        if not self._line:
            return
        line = {**self._line, "loss": loss, "gradient_norm": norm}
        self._write(line)
        now, self._read = time.monotonic(), self._read + 1
        if now - self._shown >= _EVERY_S or line["step"] == self._steps:
            self._shown = now
            left = (now - self._began) / self._read * (self._steps - line["step"])
            self._report(f"{_text(line, self._steps)}  {clock(left)} left")

    def went_on(self) -> None:
        """Scores and checkpoints are done: their time is no step's."""
        self._last = time.monotonic()

    def score(self, value: float) -> None:
        """A validation score."""
        self._write({"step": self._line.get("step", 0), "ndcg_at_10": value})
        self._report(f"step {self._line.get('step', 0)}: nDCG@10 {value:.4f}")

    def _write(self, line: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()
        if self._board is not None:
            for key, value in line.items():
                if key != "step":
                    self._board.add_scalar(f"train/{key}", value, line["step"])


def _text(line: dict[str, Any], steps: int) -> str:
    parts = [
        f"step {line['step']}/{steps}",
        f"loss {line['loss']:.4f}",
        f"lr {line['learning_rate']:.2e}",
        f"{line['tokens_per_s']:,.0f} tok/s",
    ]
    if "mfu" in line:
        parts.append(f"MFU {line['mfu']:.1%} HFU {line['hfu']:.1%} peak {line['peak_gb']} GB")
    return "  ".join([*parts, "padding 0%"])


def _board(config: TrainConfig) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as exc:
        raise MissingExtra("tensorboard", "track") from exc
    return SummaryWriter(str(config.output / "tensorboard"))
