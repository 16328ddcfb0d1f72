"""How a run ended, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator.counts import Counts
from generator.refined import Refined
from generator.training import Trained


@dataclass(frozen=True)
class Summary:
    """How a run ended: draws made, and what each stage passed on and rejected.

    `later` are the stages behind deduplication, those that the run has (contamination, quota).
    `short` is true where fewer records were kept than asked for with `keep`; `stopped` says why not
    all was asked (the budget), if so. `trained` is the embedder of a run that has a `train`
    section, None where it has none or the budget stopped it; `refined` the same of `refine`.
    """

    folder: Path
    drawn: int
    generated: Counts
    filtered: Counts
    deduped: Counts
    notes: tuple[str, ...]
    short: bool
    stopped: str = ""
    trained: Trained | None = None
    refined: Refined | None = None
    later: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def last(self) -> Counts:
        """What the last stage before mining passed on."""
        return [self.deduped, *self.later.values()][-1]

    @property
    def kept(self) -> int:
        """How many records the run ended with."""
        return self.refined.kept if self.refined else self.last.passed.total()

    @property
    def rejected(self) -> Counter[str]:
        """Rejections by `family|stage|reason`."""
        stages = (self.generated, self.filtered, self.deduped, *self.later.values())
        refined = self.refined.rejected if self.refined else Counter[str]()
        return sum((counts.rejected for counts in stages), Counter[str]()) + refined
