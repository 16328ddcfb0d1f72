"""How one draw is written: prompts out, answers in, a record or a rejection at the end.

A draw is written by a Python generator, so that the same steps serve a live run and a replay from
the journal (`generation.py`). Does no I/O and knows no concurrency.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from generator import sampling
from generator.errors import RequestFailed
from generator.families import Brainstorm, Step
from generator.parse import Unparsed, parse_reply, parse_tasks
from generator.plan import Plan
from generator.prompts import variables_of
from generator.records import (
    Completion,
    Draw,
    Prompt,
    Provenance,
    Record,
    Rejected,
    Task,
    draw_to_json,
    make_record,
)

T = TypeVar("T")
Steps = Generator[Prompt, Completion, T]
Outcome = Record | Rejected
Tasks = tuple[Task, ...] | Rejected

# Finish reasons of a reply that is not whole: the reason where nothing can be read from it.
_CUT = {"length": "answer_truncated", "repetition": "answer_loops"}


def example_steps(plan: Plan, draw: Draw, task: Task | None) -> Steps[Outcome]:
    """The steps of one example: its record, or why there is none."""
    variables = variables_of(draw, plan.taxonomy.languages) | plan.passage_variables(draw)
    requests = []
    if task is not None:
        variables["task"] = task.text
        requests.append(task.request)
    for name, step in plan.form(draw).steps.items():
        reply = yield from _asked(plan, draw, name, step, variables, "parse", _fields_of(step))
        if isinstance(reply, Rejected):
            return reply
        fields, key = reply
        variables |= fields
        requests.append(key)
    return _record(plan, draw, variables, tuple(requests))


def brainstorm_steps(plan: Plan, draw: Draw) -> Steps[Tasks]:
    """The steps of one brainstorming call: its tasks, or why there are none."""
    step = plan.form(draw).brainstorm
    if step is None:
        message = f"{draw.id} has no brainstorming"
        raise ValueError(message)
    variables = variables_of(draw, plan.taxonomy.languages) | plan.passage_variables(draw)
    variables["tasks_per_call"] = str(step.tasks_per_call)
    reply = yield from _asked(plan, draw, "brainstorm", step, variables, "brainstorm", _tasks_of)
    if isinstance(reply, Rejected):
        return reply
    texts, key = reply
    return tuple(
        Task(draw.family, draw.language, text, draw.id, key)
        for text in texts[: step.tasks_per_call]
    )


def brainstorm_of(plan: Plan, draw: Draw) -> Draw:
    """The brainstorming call that gives an example draw its task."""
    return sampling.brainstorm_draw(draw, plan.taxonomy.families[draw.family], plan.config.seed)


def is_first_of_call(plan: Plan, draw: Draw) -> bool:
    """Whether an example draw is the first, in the run's order, that its brainstorming call serves.

    The draws of one family and language come by their index, whatever lies between them.
    """
    step = plan.form(draw).brainstorm
    return step is not None and draw.index % step.tasks_per_call == 0


def pick_task(plan: Plan, draw: Draw, tasks: Tasks) -> Task | Rejected:
    """The task of an example draw among those of its call; rejected as the call was."""
    if isinstance(tasks, Rejected):
        detail = f"{tasks.draw}: {tasks.detail}"
        return _rejected(draw, tasks.stage, tasks.reason, detail, tasks.text)
    family = plan.taxonomy.families[draw.family]
    step = plan.form(draw).brainstorm
    if draw.passage and step and draw.index % step.tasks_per_call >= len(tasks):
        # To use one twice would be another example of the same intent for the same passage.
        detail = f"{len(tasks)} of {step.tasks_per_call} asked for"
        return _rejected(draw, "brainstorm", "list_too_short", detail)
    return tasks[sampling.task_index(draw, family, len(tasks))]


def _asked(
    plan: Plan,
    draw: Draw,
    name: str,
    step: Step | Brainstorm,
    variables: dict[str, str],
    stage: str,
    parse: Callable[[Completion], T | Unparsed],
) -> Steps[tuple[T, str] | Rejected]:
    """A step's reply and its journal key, asked for again while it does not parse."""
    rejected = _rejected(draw, stage, "not_asked", "")
    for attempt in range(plan.writer(draw).max_attempts):
        prompt = _prompt(plan, draw, name, step, variables, attempt)
        try:
            completion = yield prompt
        except RequestFailed as exc:
            return _rejected(draw, "generate", exc.reason, exc.detail)
        reply = parse(completion)
        if not isinstance(reply, Unparsed):
            return reply, prompt.key
        detail = f"{name}: {reply.detail}"
        rejected = _rejected(draw, stage, reply.reason, detail, completion.text)
    return rejected


def _fields_of(step: Step) -> Callable[[Completion], dict[str, str] | Unparsed]:
    def parse(completion: Completion) -> dict[str, str] | Unparsed:
        cut = _CUT.get(completion.finish_reason, "")
        return parse_reply(completion.text, step.reply, cut=cut)

    return parse


def _tasks_of(completion: Completion) -> tuple[str, ...] | Unparsed:
    return parse_tasks(completion.text, truncated=completion.finish_reason in _CUT)


def _prompt(
    plan: Plan,
    draw: Draw,
    name: str,
    step: Step | Brainstorm,
    variables: dict[str, str],
    attempt: int,
) -> Prompt:
    writer = plan.writer(draw)
    return Prompt(
        model=writer.model,
        draw=draw.id,
        step=name,
        attempt=attempt,
        messages=writer.turns(plan.renderer.messages(step.template, variables)),
        params=writer.params(step, sampling.request_seed(plan.config.seed, draw.id, name, attempt)),
        schema=step.reply_schema(),
    )


def _record(plan: Plan, draw: Draw, variables: dict[str, str], requests: tuple[str, ...]) -> Record:
    family = plan.taxonomy.families[draw.family]
    form = family.forms[draw.form]
    render = plan.renderer.text
    templates = [form.brainstorm.template] if form.brainstorm else []
    templates += [step.template for step in form.steps.values()]
    return make_record(
        family=draw.family,
        task=render(form.record.task, variables),
        language=draw.language,
        symmetric=family.symmetric,
        label=None if form.record.label is None else render(form.record.label, variables),
        in_batch=family.in_batch,
        query=render(form.record.query, variables),
        positives=tuple(render(text, variables) for text in form.record.positives),
        negatives=tuple(render(text, variables) for text in form.record.negatives),
        provenance=Provenance(
            model=plan.writer(draw).model if requests else None,
            templates=tuple(plan.renderer.hash(name) for name in templates),
            draw=draw_to_json(draw),
            seed=plan.config.seed,
            requests=requests,
            passage=draw.passage or None,
        ),
    )


def _rejected(
    draw: Draw, stage: str, reason: str, detail: str, text: str | None = None
) -> Rejected:
    return Rejected(
        stage=stage,
        reason=reason,
        family=draw.family,
        language=draw.language,
        draw=draw.id,
        detail=detail,
        text=text,
    )
