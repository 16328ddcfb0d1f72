"""What a record was drawn with: the values of its own axes and of its brainstorming call's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from generator import sampling
from generator.families import Axis
from generator.plan import Plan
from generator.records import Draw, Record

# As `Draw.id` writes it.
_ID = re.compile(
    r"(?P<family>[^@]+)@\d+/(?P<form>[^/]+)/(?P<language>[^#]*)#(?:(?P<passage>.+)\.)?(?P<index>\d+)"
)
_HELD = 4096  # brainstorming calls: the draws of one come close together


def draw_of(record: Record) -> Draw | None:
    """The draw of a record; None where it was not drawn by trine."""
    try:
        return Draw(**json.loads(record.provenance.draw or ""))
    except (ValueError, TypeError):  # none, or another tool's idea of a draw
        return None


def draw_with_id(plan: Plan, draw_id: str) -> Draw | None:
    """The draw of that id; None where the taxonomy has no such family or form any more."""
    match = _ID.fullmatch(draw_id)
    family = plan.taxonomy.families.get(match["family"]) if match else None
    if match is None or family is None or match["form"] not in family.forms:
        return None
    return sampling.example_draw(
        match["family"], family, match["form"], match["language"], int(match["index"]),
        plan.config.seed, match["passage"] or "",
    )  # fmt: skip


class DrawnValues:
    """Values by axis. They follow from the draw and the seed; the record holds a part of them."""

    def __init__(self, plan: Plan) -> None:
        self._families, self._seed = plan.taxonomy.families, plan.config.seed
        self.axes: dict[str, dict[str, Axis]] = {}
        """Axis name → family → axis, of the forms that the run is written in."""
        for quota in plan.quotas:
            for name, axis in _axes(quota).items():
                self.axes.setdefault(name, {})[quota.name] = axis
        self._brainstormed = lru_cache(_HELD)(self._call_values)

    def of(self, record: Record) -> Mapping[str, str]:
        """The values of a record, none where it was not drawn."""
        draw = draw_of(record)
        return {} if draw is None else self.of_draw(draw)

    def of_draw(self, draw: Draw) -> Mapping[str, str]:
        """The values of a draw; the call's where the taxonomy still has its family."""
        family = self._families.get(draw.family)
        form = family.forms.get(draw.form) if family else None
        if family is None or form is None or form.brainstorm is None:
            return draw.values
        call = draw.index // form.brainstorm.tasks_per_call
        place = (draw.family, draw.version, draw.form, draw.language, draw.passage, call)
        return {**self._brainstormed(*place), **draw.values}

    def _call_values(
        self, name: str, version: int, form: str, language: str, passage: str, call: int
    ) -> Mapping[str, str]:
        family = self._families[name]
        step = family.forms[form].brainstorm
        first = call * (step.tasks_per_call if step else 1)
        draw = Draw(name, version, form, language, first, passage=passage)
        return sampling.brainstorm_draw(draw, family, self._seed).values


def _axes(quota: sampling.Quota) -> Mapping[str, Axis]:
    brainstorm = quota.family.forms[quota.form].brainstorm
    own = quota.family.axes_of(quota.form)
    return {**(brainstorm.axes if brainstorm else {}), **own}
