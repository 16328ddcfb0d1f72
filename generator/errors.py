"""Every error that trine raises on purpose.

    TrineError
    ├── UserError               bad input or configuration: exit 2; carries a hint to act on
    │   ├── ConfigError         flags, environment, run configuration
    │   ├── TaxonomyError       tasks.yaml and prompts/: all problems at once, each with its place
    │   ├── InputError          a file that cannot be read, or holds something else than expected
    │   ├── RunError            a run's folder: locked, from another version, not writable
    │   │   └── JournalError    its journal: corrupted, or from another version
    │   ├── MissingExtra        an optional package that is not installed
    │   └── LLMError            the model's server or weights: wrong key, unreachable, refused
    │       └── Unreachable     nothing answered after all retries
    ├── BadDocument             one document of a corpus cannot be read; it is skipped with `reason`
    ├── BudgetReached           the run's cap on cost or tokens: what there is is kept, exit 1
    └── RequestFailed           one request failed for good; its draw is rejected, the run goes on

Anything else that reaches the top is a bug: exit 3, with the path of a log. `Interrupted` is no
error: somebody asked the process to end.
"""

from __future__ import annotations


class TrineError(Exception):
    """The root of the tree."""


class UserError(TrineError):
    """Something the user can put right.

    `message` says what and where; `hint` says what to type or change; `problems` lists every
    problem found when there are several.
    """

    def __init__(self, message: str, *, hint: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])


class ConfigError(UserError):
    """A flag, an environment variable or a configuration key is wrong."""


class TaxonomyError(UserError):
    """`tasks.yaml` or `prompts/` do not hold together."""


class InputError(UserError):
    """A file cannot be read, or holds something else than expected."""


class RunError(UserError):
    """A run's folder cannot be used."""


class JournalError(RunError):
    """A journal is corrupted, or was written by another version."""


class MissingExtra(UserError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package} is not installed", hint=f"pip install 'trine[{extra}]'"
        )


class LLMError(UserError):
    """The model cannot be used at all; the run stops, and goes on when it is put right."""


class Unreachable(LLMError):
    """No answer after all retries."""


class BudgetReached(TrineError):
    """The next request might go over the run's cap; the run goes on when it is raised."""


class RequestFailed(TrineError):
    """One request failed for good: its draw is rejected with `reason`, the run goes on."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Interrupted(KeyboardInterrupt):
    """A signal came; what was in flight has been finished or dropped. `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class BadDocument(TrineError):
    """One document of a corpus cannot be read: it is skipped with `reason`, the rest goes on."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
