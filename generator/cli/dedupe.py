"""`trine dedupe`: one stage, on a run or on a file of records."""

from __future__ import annotations

from pathlib import Path

from generator import pipeline
from generator.cli.stage import stage_command
from generator.config import RunConfig
from generator.counts import Counts
from generator.progress import Watch


def _on_run(config: RunConfig, watch: Watch) -> Counts:
    return pipeline.dedupe_run(config, watch=watch)


def _on_file(source: Path, output: Path, config: RunConfig, watch: Watch) -> Counts:
    return pipeline.dedupe_file(source, output, config, watch=watch)


command = stage_command(
    "dedupe", "Drop exact and near-duplicates of earlier records.", _on_run, _on_file
)
