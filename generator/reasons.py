"""Every reason for which a draw gives no record, in words.

A reason of a text begins with its side: `query_too_short`. `explained` has a sentence for every
stage and reason; one that stands in no table is said by its name. A test reads the rules' sources
and holds the tables to them.
"""

from __future__ import annotations

SIDES = ("query", "positive", "negative")

# Where `SIDE` stands, the side of the text: "query", "positive", "negative".
_OF_A_TEXT = {
    "empty": "The SIDE is empty.",
    "placeholder": "The SIDE is a placeholder that was never filled in.",
    "too_short": "The SIDE has fewer words than the family or the drawn length allows.",
    "too_long": "The SIDE has more words than the family or the drawn length allows.",
    "refusal": "The model declined to write the SIDE.",
    "meta_talk": "The SIDE speaks of the request itself (“Here is …”, “(200 words)”).",
    "repeats": "The SIDE says the same over and over: a loop.",
    "says_little": "The SIDE has few different content words: it is circular or stutters.",
    "says_nothing": "The SIDE holds hardly any word that says something.",
    "off_subject": "The SIDE lacks the words of the subject that was drawn for it.",
    "wrong_script": "The SIDE is not in the script of the language that was drawn.",
    "wrong_language": "The SIDE is in another language than the one that was drawn.",
    "mixed_script": "The SIDE mixes scripts within its words or sentences.",
    "boilerplate": "The SIDE holds what belongs to a web page or a form, not to a text.",
    "unfinished": "The SIDE breaks off.",
    "copies_prompt": "The SIDE is copied from the prompt's own examples.",
    "gives_away": "The SIDE gives the answer away.",
    "personal_data": "The SIDE holds what looks like personal data.",
    "toxic": "The SIDE holds toxic words.",
    "exact_match": "The SIDE is a text of an evaluation set (case and punctuation aside).",
    "one_word_match": "The SIDE is a text of an evaluation set but for one word.",
    "ngram_match": "The SIDE shares a run of words with, or holds, a text of an evaluation set.",
    "near_match": "The SIDE nearly equals a text of an evaluation set.",
}
_OF_A_RECORD = {
    # filters
    "query_answers_itself": "The query asks for a date or a name and says it itself.",
    "query_ignores_opening": "The query does not begin with the words that were drawn for it.",
    "answer_in_query": "The query goes on with a sentence of the positive.",
    "query_in_positive": "The query is copied out of the positive.",
    "query_off_passage": "The query asks for what its passage does not speak of.",
    "query_points_at_text": "The query points at its text (“according to the passage”).",
    "query_strays": "The query asks for more than, or something other than, its subject.",
    "query_vague": "The query does not say what it is about.",
    "negative_equals_positive": "The negative is the positive.",
    "negative_near_positive": "The negative nearly equals the positive: it answers the query, too.",
    "negative_equals_query": "The negative is the query itself.",
    "negative_holds_positive": "The negative holds the positive: it answers the query, too.",
    "label_in_query": "The text names its own class.",
    "positive_repeats_query": "The positive only says the query again.",
    "positive_other_length": "The two sides are too different in length to be translations.",
    "positive_other_names": "The two sides do not name the same names.",
    "positive_other_numbers": "The two sides do not hold the same numbers.",
    # parse and brainstorm
    "no_json_object": "The reply holds no JSON object that could be read.",
    "no_task_list": "The reply to the brainstorming call holds no list of tasks.",
    "list_too_short": "The brainstorming call gave fewer tasks than were asked for.",
    "field_missing": "The reply lacks a field that its template asks for.",
    "field_not_text": "A field of the reply is no text.",
    "field_not_allowed": "A field of the reply is none of the values that it may have.",
    "answer_empty": "The model answered nothing.",
    "answer_too_long": "The reply is longer than its field may be.",
    "answer_truncated": "The reply was cut off at max_tokens: raise it, or ask for shorter texts.",
    "answer_loops": "The reply said the same over and over, and was cut off.",
    "not_asked": "Nothing was asked: no attempt is allowed (llm.max_attempts).",
    # generate
    "unanswered": "The run ended before this draw was answered; the same command asks it.",
    "refused": "The provider refused the request.",
    "timeout": "No answer within llm.timeout_s, in all attempts.",
    "connection_lost": "The connection was lost, in all attempts.",
    "bad_response": "The server's answer was not what the API says.",
    "prompt_too_long": "The prompt is longer than the model's context.",
    # dedupe
    "query_duplicate": "An earlier record of this family and language has the same query.",
    "positive_duplicate": "An earlier record of this family and language has the same positive.",
    "record_duplicate": "An earlier record has the same query and positive.",
    "record_near_duplicate": "An earlier record is nearly the same, query and positive together.",
    "query_near_duplicate": "An earlier record has nearly the same query.",
    "positive_near_duplicate": "An earlier record has nearly the same positive.",
    "semantic_duplicate": "An earlier record means the same, by the encoder.",
    # quota
    "over_cap": "As many records of this value were kept before as the cap allows.",
    "over_share": "Its family or language has its share of what the run keeps already.",
    "over_keep": "As many records as the run is to keep come before it.",
    # refine
    "positive_not_found": "The query does not find its positive among the texts of the run.",
    "positive_far_behind": "Other texts come far closer to the query than its positive does.",
    "positive_too_far": "The positive is too far from the query to answer it.",
    "positive_too_near": "The positive is so close to the query that it may be a copy.",
    "positive_not_relevant": "The judge says that the positive does not answer the query.",
    "negative_above_positive": "A negative comes closer to the query than the positive does.",
    "negative_answers": "The negative comes as close to the query as an answer does.",
    "negative_like_positive": "The negative says what the positive says.",
    "negative_relevant": "The judge says that the negative answers the query.",
    "not_judged": "The budget ended before the judge had graded it; a higher cap goes on.",
    "too_few_negatives": "Too few negatives are left after the others were taken out.",
    "no_positive": "There is no positive.",
    # a user's file
    "not_a_record": "The line is no record.",
    # rows that are no pairs
    "not_json": "The line is no JSON.",
    "not_a_row": "The line holds no object with columns.",
    "bad_encoding": "A byte is none of the file's encoding.",
    "open_quote": "A quotation mark opens a field and is not closed before the next row.",
    "wrong_fields": "The row has more or fewer fields than the first one.",
    "no_query": "No column holds the query: name it with --query-column.",
    "no_paragraph": "What stands among SQuAD's paragraphs is none.",
    "no_label": "The row has no label of entailment, neutral or contradiction.",
    "no_entailment": "None of the premise's hypotheses is entailed.",
    "unknown_label": "The label is neither 0 nor 1 (false or true).",
    "graded": "The labels are scores or grades, not 0 and 1 (of NLI: --format nli).",
    "lone_negative": "The label is 0, and the first text has no row whose label is 1.",
    "both_labels": "The label is 0, and 1 in another row of the same texts.",
    "no_clicks": "The number of clicks is missing, or no number.",
    "few_clicks": "The text was clicked less often than --min-clicks.",
    "no_passage": "The passage that a judgement names is not in the corpus.",
    "no_relevant": "No passage is judged relevant to the query.",
    "neutral": "A neutral hypothesis is neither positive nor negative.",
    "unanswerable": "The question is marked as having no answer.",
    "empty_text": "A text is empty.",
    "empty_query": "The query is empty.",
    "empty_positive": "A positive is empty.",
    "empty_negative": "A negative is empty.",
    "positive_equals_query": "The positive is the query itself.",
}
_BEGINNINGS = {
    "http_": "The server answered with an error, in all attempts.",
    "engine_": "The engine gave no answer.",
}
STAGES = {
    "read": "reading the file",
    "brainstorm": "brainstorming tasks",
    "llm": "asking the model",
    "generate": "asking the model",
    "parse": "reading the reply",
    "filter": "the filter rules",
    "dedupe": "deduplication",
    "contamination": "comparison with evaluation sets",
    "quota": "caps and shares",
    "mine": "mining negatives",
    "refine": "refinement",
    "keep": "the number of records to keep",
}


def is_explained(reason: str) -> bool:
    """Whether a table has a sentence for it."""
    return _sentence(reason) is not None


def explained(stage: str, reason: str) -> str:
    """What a reason means, as a sentence."""
    place = STAGES.get(stage, stage)
    return _sentence(reason) or f"Dropped by {place}: {reason.replace('_', ' ')}."


def _sentence(reason: str) -> str | None:
    if reason in _OF_A_RECORD:
        return _OF_A_RECORD[reason]
    side, _, fault = reason.partition("_")
    if side in SIDES and fault in _OF_A_TEXT:
        return _OF_A_TEXT[fault].replace("SIDE", side)
    return next((text for begin, text in _BEGINNINGS.items() if reason.startswith(begin)), None)
