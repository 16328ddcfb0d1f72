"""Grades of records' texts through a journal: the part of `refine` that asks LLMs.

First all is asked, with many requests in flight, and every answer goes into the journal; then the
same code reads the grades back from the journal alone. So no grade is paid for twice, and what
comes after does not depend on the order of answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from generator.config import packaged_data
from generator.encoders import Progress
from generator.errors import BudgetReached, RequestFailed
from generator.families import Language
from generator.llm.backends import open_llm
from generator.llm.base import LLM
from generator.llm.budget import Budget, Metered
from generator.llm.journal import Journal
from generator.llm.pool import Pool, each
from generator.llm.writers import Writers
from generator.prompts import Renderer
from generator.records import Completion, Prompt, Record
from generator.refine.agreement import Agreement
from generator.refine.grading import GRADES, Grade, Rendered, Text, graded
from generator.refineconfig import JudgeConfig

FOLDER = "judge"
DEFAULT = f"{FOLDER}/default.j2"
OpenModel = Callable[[JudgeConfig, Path], LLM]


class Asked(NamedTuple):
    """A record and the texts of it that are graded."""

    record: Record
    texts: Sequence[Text]


@dataclass
class Agreements:
    """The cheap judge with itself, and with the strong one."""

    itself: Agreement = field(default_factory=lambda: Agreement(max(GRADES)))
    strong: Agreement = field(default_factory=lambda: Agreement(max(GRADES)))

    def add(self, grades: Iterable[Grade]) -> None:
        """Count the grades of some texts."""
        for grade in grades:
            if grade.cheap is not None and grade.again is not None:
                self.itself.add(grade.cheap, grade.again)
            if grade.cheap is not None and grade.strong is not None:
                self.strong.add(grade.cheap, grade.strong)


class Templates:
    """A judge's prompts: `judge/FAMILY.j2` where there is one, else `judge/default.j2`.

    A prompts folder without a judge's templates leaves them to the packaged ones.
    """

    def __init__(self, folder: Path, languages: Mapping[str, Language]) -> None:
        if not (folder / DEFAULT).is_file():
            folder = packaged_data() / "prompts"
        self._renderer, self._folder, self._languages = Renderer(folder), folder, languages

    def __call__(self, record: Record, texts: Sequence[str]) -> Rendered:
        """The turns about some texts of a record. Raises TaxonomyError."""
        name = f"{FOLDER}/{record.family}.j2"
        if not (self._folder / name).is_file():
            name = DEFAULT
        variables = {
            "query": record.query,
            "task": record.task,
            "texts": _numbered(texts),
            "count": str(len(texts)),
            "language": self._name(record.query_language),
            "text_language": self._name(record.text_language),
        }
        return Rendered(self._renderer.messages(name, variables), self._renderer.hash(name))

    def _name(self, code: str) -> str:
        language = self._languages.get(code)
        return language.name if language else code


def _numbered(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return f"Text: {texts[0]}"
    return "\n\n".join(f"Text {number}: {text}" for number, text in enumerate(texts, start=1))


class Judges:
    """The judges of a configuration over one journal; a context manager.

    `stopped` says why not all texts were graded (the budget), if so.
    """

    def __init__(
        self, config: JudgeConfig, templates: Templates, journal: Path,
        open_model: OpenModel | None = None, budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self._budget = budget or Budget(lambda *_: None)
        self.stopped = ""
        self._config, self._templates, self._path = config, templates, journal
        self._open = open_model or _open_all
        journal.parent.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(journal)

    @property
    def names(self) -> tuple[str, ...]:
        """What their grades are signed with: the cheap one's, the strong one's."""
        return tuple(f"llm:{grader.model}" for grader in self._config.graders)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.__exit__(None, None, None)

    def ask(self, items: Iterable[Asked], total: int, tell: Progress) -> None:
        """Have all texts graded; what the journal has answered is not sent. Raises LLMError.

        Where the next request might go over the budget it ends, and says so in `stopped`.
        """
        asyncio.run(self._ask(items, total, tell))

    async def _ask(self, items: Iterable[Asked], total: int, tell: Progress) -> None:
        llm = Metered(self._open(self._config, self._path), self._budget)
        pool, done = Pool(llm, self.journal), 0

        async def one(item: Asked) -> None:
            nonlocal done
            await graded(pool.ask, self._templates, self._config, item.record, item.texts)
            done += 1
            tell(f"judged, {pool.traffic.answered:,} answers; records", done, total)

        try:
            await each(items, one, limit=pool.concurrency)
        except BudgetReached as exc:
            self.stopped = str(exc)
        finally:
            await llm.aclose()

    def grades(self, item: Asked) -> list[Grade] | None:
        """The grades of a record's texts, from the journal alone; None where it was stopped."""
        asking = graded(self._known, self._templates, self._config, item.record, item.texts)
        try:
            return _finished(asking)
        except BudgetReached:
            return None

    async def _known(self, prompt: Prompt) -> Completion:
        found = self.journal.get(prompt.key)
        if found is None and self.stopped and self.journal.last_error(prompt.key) is None:
            raise BudgetReached(self.stopped)
        if found is None:
            raise RequestFailed("not_asked", prompt.draw)
        return found


def _finished(asking: object) -> list[Grade]:
    """The result of a coroutine that waits for nothing: no event loop is needed."""
    try:
        asking.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        found: list[Grade] = end.value
        return found
    raise AssertionError("waited")


def _open_all(config: JudgeConfig, journal: Path) -> LLM:
    models = {grader.model: grader for grader in config.graders}
    found = {name: open_llm(grader, journal) for name, grader in models.items()}
    return Writers(found) if len(found) > 1 else next(iter(found.values()))
