"""Record → keep or a reason: one rule a file, the registry below, chains made of them.

    chain = compile_rules({"empty": {}, "length": {"query": {"max_words": 30}}, "script": False})
    reject = apply(chain, record)

The registry's order is the order in which rules run: cheap and certain ones first, so that the
reason given is the plainest one.
"""

from __future__ import annotations

from generator.filters import (
    answers_itself,
    boilerplate,
    empty,
    example_copied,
    giveaway,
    label_leak,
    language,
    length,
    meta_talk,
    mixed_script,
    negative_equals_positive,
    off_passage,
    off_subject,
    opening,
    personal_data,
    placeholder,
    points_at_text,
    query_copied,
    query_strays,
    refusal,
    repetition,
    says_little,
    says_nothing,
    script,
    toxic,
    translation,
    unfinished,
    vague,
)
from generator.filters.base import Reject, Rule
from generator.filters.chain import Chain, Spec, apply, compile_chain, load

__all__ = ["RULES", "Chain", "Reject", "Rule", "Spec", "apply", "compile_rules", "load"]

RULES: dict[str, Rule] = {
    "empty": empty.check,
    "placeholder": placeholder.check,
    "length": length.check,
    "refusal": refusal.check,
    "meta_talk": meta_talk.check,
    "repetition": repetition.check,
    "unfinished": unfinished.check,
    "boilerplate": boilerplate.check,
    "query_copied": query_copied.check,
    "example_copied": example_copied.check,
    "giveaway": giveaway.check,
    "answers_itself": answers_itself.check,
    "negative_equals_positive": negative_equals_positive.check,
    "label_leak": label_leak.check,
    "translation": translation.check,
    "points_at_text": points_at_text.check,
    "vague": vague.check,
    "opening": opening.check,
    "off_subject": off_subject.check,
    "query_strays": query_strays.check,
    "off_passage": off_passage.check,
    "says_little": says_little.check,
    "says_nothing": says_nothing.check,
    "script": script.check,
    "mixed_script": mixed_script.check,
    "language": language.check,
    "personal_data": personal_data.check,
    "toxic": toxic.check,
}


def compile_rules(spec: Spec, *, where: str = "filters") -> Chain:
    """The chain of the rules that `spec` names and does not turn off.

    `where` is the place in the file, for messages. Raises `TaxonomyError` with all problems.
    """
    return compile_chain(RULES, spec, where)
