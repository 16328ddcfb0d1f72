"""`trine dedupe`: one stage, on a run or on a file of records."""

from __future__ import annotations

from generator import pipeline
from generator.cli.stage import stage_command

command = stage_command(
    "dedupe",
    "Drop exact and near-duplicates of earlier records.",
    pipeline.dedupe_run,
    pipeline.dedupe_file,
)
