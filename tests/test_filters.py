"""Each rule: what it drops, with the exact reason, and the neighbour that it keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import DOCUMENT_JA, OTHER, OTHER_JA

from generator import langid
from generator.errors import TaxonomyError
from generator.filters import RULES, Reject, apply, compile_rules, load, repetition, says_little
from generator.filters.chain import thresholds_of
from generator.filters.length import Axis, Bounds, check, parse_range
from generator.records import Draw, Provenance, Record, draw_to_json, make_record
from generator.text import distinct, ngram_hashes, unspaced_share

DOCUMENT = (
    "The harbour of Aberdeen was rebuilt after the flood of 1829. Engineers dug a new basin, moved "
    "the mouth of the river Dee to the south, and paid for all of it with a tax on coal. Fishing "
    "boats came first; ferries to the northern islands followed a decade later."
)


def record(
    query: str = "why was the harbour rebuilt",
    positive: str = DOCUMENT,
    negative: str | None = OTHER,
    *,
    language: str = "en",
    label: str | None = None,
    values: dict[str, str] | None = None,
) -> Record:
    """A record that every rule keeps, but for what the test puts in it."""
    draw = Draw("f", 1, "single", language, 0, values=values or {})
    return make_record(
        family="f",
        task="Given a query, retrieve documents that answer it.",
        language=language,
        query=query,
        positives=(positive,),
        negatives=() if negative is None else (negative,),
        label=label,
        provenance=Provenance(draw=draw_to_json(draw)),
    )


def reason(rule: str, item: Record, **thresholds: object) -> str | None:
    """The reason that the rule alone gives, through the chain as a run uses it."""
    reject = apply(compile_rules({rule: thresholds}), item)
    return None if reject is None else reject.reason


KEPT = [
    record(),
    record("雪まつりの始まりは何年か", DOCUMENT_JA, OTHER_JA, language="ja"),
    record("Wann wurde der Hafen gebaut?", language="de-en"),
    record("I still wait for my parcel", "delivery delay", "refund", label="delivery delay"),
]


@pytest.mark.parametrize("rule", RULES)
def test_ordinary_records_pass_every_rule(rule: str) -> None:
    """English, Japanese, cross-lingual and labelled records are kept."""
    assert [reason(rule, item) for item in KEPT] == [None] * len(KEPT)


def test_empty() -> None:
    """A text of spaces, or of a zero-width space, is empty; no negatives are fine."""
    assert reason("empty", record(query=" \n")) == "query_empty"
    assert reason("empty", record(positive="\u200b")) == "positive_empty"
    assert reason("empty", record(negative="　")) == "negative_empty"
    assert reason("empty", record(negative=None)) is None
    assert reason("empty", record(query="x")) is None
    none = make_record(family="f", task="t", language="en", query="q", positives=())
    assert reason("empty", none) == "positive_empty"


@pytest.mark.parametrize(
    "text",
    [
        "...",
        "N/A",
        "string",
        '"user_query"',
        "<text>",
        "[document]",
        "Dear [Your Name], thank you for your order.",
        "{{ user_query }}",
        'It says: {"user_query": "x", "positive_document": "y"}',
        "lorem ipsum dolor sit amet",
        "ここに文章を入力してください",
        "［ここに会社名］の製品です",
    ],
)
def test_placeholder_drops(text: str) -> None:
    """Echoes of the schema and blanks to fill in are placeholders on every side."""
    assert reason("placeholder", record(query=text)) == "query_placeholder"
    assert reason("placeholder", record(positive=text)) == "positive_placeholder"
    assert reason("placeholder", record(negative=text)) == "negative_placeholder"


@pytest.mark.parametrize(
    "text",
    [
        "What does lorem ipsum mean?",
        "Press [Enter] to go on, or [Insert] to overwrite.",
        "A string is a sequence of characters.",
        "Jinja prints a variable with {{ name }}.",
        "The <text> element of SVG draws text.",
        "What does Rc<T> count that a Vec<String> does not?",
        "ここに行きたいです",
    ],
)
def test_placeholder_keeps_documents_about_them(text: str) -> None:
    """What looks like a blank may be a document's subject."""
    assert reason("placeholder", record(positive=text)) is None


def test_placeholder_in_queries_and_labels() -> None:
    """Template braces are residue in a query; "none" is an echo, but a fair label."""
    assert reason("placeholder", record(query="how to {{ topic }}")) == "query_placeholder"
    assert reason("placeholder", record(positive="None")) == "positive_placeholder"
    assert reason("placeholder", record(positive="none", label="none")) is None


def test_length_bounds() -> None:
    """Bounds include their ends; a Japanese character is half a word."""
    bounds = {"query": {"min_words": 3, "max_words": 5}}
    assert reason("length", record(query="one two"), **bounds) == "query_too_short"
    assert reason("length", record(query="one two three"), **bounds) is None
    assert reason("length", record(query="a b c d e"), **bounds) is None
    assert reason("length", record(query="a b c d e f"), **bounds) == "query_too_long"
    assert reason("length", record(query="東京の塔"), **bounds) == "query_too_short"
    assert reason("length", record(query="東京の高い塔"), **bounds) is None
    assert reason("length", record(negative="a"), negative={"min_words": 2}) == "negative_too_short"
    assert reason("length", record(), positive={"max_words": 40}) == "positive_too_long"


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        ("at least 10 words", Bounds(10, None)),
        ("at least 200", Bounds(200, None)),
        ("300", Bounds(300, None)),
        ("5 to 15 words", Bounds(5, 15)),
        ("5–15", Bounds(5, 15)),
        ("less than 5 words", Bounds(None, 4.5)),
        ("at most 8 words", Bounds(None, 8)),
        ("long", None),
        ("", None),
    ],
)
def test_parse_range(value: str, bounds: Bounds | None) -> None:
    """The paper's values are read; words without a number bound nothing."""
    assert parse_range(value) == bounds


def test_length_asked_for_by_an_axis() -> None:
    """A draw's bounds are widened by the tolerance on both sides."""
    asked = {"query_length": {"fields": ["query"], "tolerance": 2.0}}
    kept = record(query="a b c", values={"query_length": "5 to 15 words"})
    short = record(query="a b", values={"query_length": "5 to 15 words"})
    assert reason("length", kept, axis=asked) is None
    assert reason("length", short, axis=asked) == "query_too_short"
    nine = record(query="a b c d e f g h i", values={"query_length": "less than 5 words"})
    ten = record(query="a b c d e f g h i j", values={"query_length": "less than 5 words"})
    assert reason("length", nine, axis=asked) is None
    assert reason("length", ten, axis=asked) == "query_too_long"
    assert reason("length", record(values={"query_length": ""}), axis=asked) is None
    assert reason("length", record(), axis=asked) is None
    direct = check(short, {"n": "9"}, axis={"n": Axis(("query",), 2.0)})
    assert direct == Reject("query_too_short", "2 words, fewer than 4.5")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that request.",
        "I cannot fulfill this request.",
        "Sorry, I can’t help with that.",
        "I apologize, but as an AI language model, I am unable to provide that.",
        "As an AI, I do not have opinions.",
        "Thank you for asking. As an AI language model, I cannot browse.",
        "申し訳ありませんが、そのリクエストにはお応えできません。",
        "申し訳ございませんが、お答えできません。",
        "AIとして、私は個人的な意見を持ちません。",
        "很抱歉，我无法提供这些内容。",
    ],
)
def test_refusal_drops(text: str) -> None:
    """The model that declines is heard on every side."""
    assert reason("refusal", record(query=text)) == "query_refusal"
    assert reason("refusal", record(positive=text)) == "positive_refusal"
    assert reason("refusal", record(negative=text)) == "negative_refusal"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't accept a blender that arrived broken. I want my money back.",
        "Sorry, I can't come to the meeting on Friday.",
        "I can't help thinking that the sequel is worse.",
        'Chatbots like to answer "As an AI language model, I cannot do that" to such questions.',
        "As an AI researcher, I often hear this question.",
        "申し訳ありませんが、本日の会議には出席できません。",
        "AIとして知られる技術は人間の仕事をすべて代替することはできません。",
        "私は人工知能の研究をしています。",
    ],
)
def test_refusal_keeps(text: str) -> None:
    """Apologies of people and texts about AI are no refusals."""
    assert reason("refusal", record(positive=text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here is a query for you",
        "Here is a short passage about harbours: the harbour",
        "**Query:** why was the harbour rebuilt",
        "Hard negative: the harbour of Leith",
        "This passage discusses the harbour.",
        "It was rebuilt, unlike what the hard negative document says.",
        "It answers the user's query about harbours.",
        "The harbour was rebuilt in 1829. (212 words)",
        "The harbour was rebuilt. Note: this document does not answer it.",
        "以下は検索クエリの例です：港の再建",
        "承知しました。以下に文章を示します。",
        "これはハードネガティブとして書かれた文章です。",
        "以下是一个关于港口的文档：港口",
    ],
)
def test_meta_talk_drops(text: str) -> None:
    """Preambles, captions, remarks and the record's own roles give the model away."""
    assert reason("meta_talk", record(query=text)) == "query_meta_talk"
    assert reason("meta_talk", record(positive=text)) == "positive_meta_talk"
    assert reason("meta_talk", record(negative=text)) == "negative_meta_talk"


@pytest.mark.parametrize(
    "text",
    [
        "Here are the steps to reset your router: unplug it and wait.",
        "Sure, I would like two tickets.",
        "This document describes the interface of version 2.",
        "A passage through the mountains opened in 1882.",
        "以下の手順でルーターを初期化します。",
        "はい、予約は二名でお願いします。",
        "{ query: String, limit: usize }",
    ],
)
def test_meta_talk_keeps(text: str) -> None:
    """Everyday openings are no preambles."""
    assert reason("meta_talk", record(positive=text)) is None


def test_meta_talk_keeps_documents_on_search_for_queries_on_search() -> None:
    """Roles may be the subject of a document, if the query asks about search."""
    text = "A ranker compares the user query with every hard negative document of the index."
    assert reason("meta_talk", record("how do rankers work", text)) == "positive_meta_talk"
    assert reason("meta_talk", record("how does a search engine rank", text)) is None


LOOP = "The harbour is a good place for boats and people. "
LOOP_JA = "港は船と人々にとって良い場所です。"


@pytest.mark.parametrize(
    "text",
    [
        LOOP * 6,
        LOOP_JA * 6,
        "how to fix how to fix how to fix how to fix how to fix",
        "港の歴史港の歴史港の歴史港の歴史港の歴史",
        DOCUMENT + OTHER + DOCUMENT.replace("e", "o") + " and so on and so forth" * 20,
        LOOP + DOCUMENT[:100] + ". " + LOOP + OTHER[:80] + ". " + LOOP,
    ],
)
def test_repetition_drops(text: str) -> None:
    """Loops are found with and without spaces, at the end of a good text and spread over it."""
    assert reason("repetition", record(query=text)) == "query_repeats"
    assert reason("repetition", record(positive=text)) == "positive_repeats"
    assert reason("repetition", record(negative=text)) == "negative_repeats"


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENT + " " + OTHER,
        DOCUMENT_JA + OTHER_JA,
        LOOP + DOCUMENT + " " + OTHER + " " + LOOP,
        "Row, row, row your boat, gently down the stream.",
        "ab",
        "Name  | Size\n------|-----\nquay  | 12\n------|-----\nbasin | 40\n------|-----",
        f"{DOCUMENT}\n{LOOP}\n{OTHER}\n{LOOP}\n{DOCUMENT_JA}\n{LOOP}",
    ],
)
def test_repetition_keeps(text: str) -> None:
    """A refrain, a table's rules and a sentence that comes twice are no loop."""
    assert reason("repetition", record(positive=text)) is None


def test_repetition_thresholds() -> None:
    """A stricter share drops what the default keeps."""
    twice = LOOP + DOCUMENT + " " + LOOP
    assert reason("repetition", record(positive=twice)) is None
    assert reason("repetition", record(positive=twice), max_share=0.05) == "positive_repeats"


def test_query_copied_drops_sentences() -> None:
    """A sentence of the positive, or nearly the whole of it, is a copy."""
    copied = record("Engineers dug a new basin, moved the mouth")
    assert reason("query_copied", copied) == "query_in_positive"
    five = record("Engineers dug a new basin")
    assert reason("query_copied", five) is None
    copied_ja = record("地元の高校生が六つの雪像を大通公園に", DOCUMENT_JA, language="ja")
    assert reason("query_copied", copied_ja) == "query_in_positive"
    keywords_ja = record("地元の高校生が六つの雪像", DOCUMENT_JA, language="ja")
    assert reason("query_copied", keywords_ja) is None


def test_a_japanese_question_may_have_all_of_its_sentence() -> None:
    """It asks by its end alone; without one, or in a language that turns words round, it copies."""
    text = "市内を流れる三本の川が合わさる場所にあり、古くから船の荷を積みかえて栄えた港町。"
    clause = "市内を流れる三本の川が合わさる場所にあり、古くから船の荷を積みかえて栄えた"
    assert reason("query_copied", record(f"{clause}町は？", text, language="ja")) is None
    copied = record(f"{clause}、港町", text, language="ja")
    assert reason("query_copied", copied) == "query_in_positive"
    english = "The port stands where three rivers of the old city meet"
    asked = record(f"{english} again?", f"{english}.")
    assert reason("query_copied", asked) == "query_in_positive"


def test_query_copied_compares_texts_of_like_length() -> None:
    """A query that is the positive but for a word is a copy; keywords in a short text are not."""
    text = "Who built the first planetarium in the western hemisphere?"
    assert reason("query_copied", record(text.lower(), text)) == "query_in_positive"
    near = record("Who built the first planetarium in the western hemispheres", text)
    assert reason("query_copied", near) == "query_in_positive"
    assert reason("query_copied", near, max_overlap=1.0) is None
    assert reason("query_copied", record("Berlin wall", "The fall of the Berlin wall")) is None
    assert reason("query_copied", record("Berlin wall", "Berlin Wall.")) == "query_in_positive"
    assert reason("query_copied", record("refund", "refund", label="refund")) is None


def test_negative_equals_positive() -> None:
    """Equality is of the normal form; near is above the threshold, not at it."""
    rule = "negative_equals_positive"
    assert reason(rule, record(negative=DOCUMENT.upper())) == "negative_equals_positive"
    assert reason(rule, record(negative="Why was the harbour rebuilt?")) == "negative_equals_query"
    changed = DOCUMENT.replace("1829", "1830")
    assert reason(rule, record(negative=changed)) == "negative_near_positive"
    assert reason(rule, record(negative=changed), max_similarity=0.99, max_contained=1) is None
    most = record(negative=DOCUMENT[: len(DOCUMENT) * 4 // 5])
    assert reason(rule, most) == "negative_holds_positive"
    assert reason(rule, most, max_contained=1) is None
    assert reason(rule, record(negative=DOCUMENT[: len(DOCUMENT) // 2])) is None
    changed_ja = record(positive=DOCUMENT_JA, negative=DOCUMENT_JA.replace("二月", "三月"))
    assert reason(rule, changed_ja, max_similarity=0.8) == "negative_near_positive"
    assert reason(rule, changed_ja, max_similarity=0.95, max_contained=1) is None
    turned = DOCUMENT_JA[DOCUMENT_JA.index("いまでは") :] + DOCUMENT_JA[:30]
    item = record(positive=DOCUMENT_JA, negative=turned, language="ja")
    assert reason(rule, item) == "negative_holds_positive"


@pytest.mark.parametrize(
    ("query", "label", "expected"),
    [
        ("My card arrival is late", "card_arrival", "label_in_query"),
        ("The arrival of my card is late", "Card Arrival", "label_in_query"),
        ("My card is late", "card_arrival", None),
        ("I like modern cartoons", "cart", None),
        ("返品と返金をお願いします", "返金", "label_in_query"),
        ("お金を返してください", "返金", None),
        ("It was an A plus", "A", None),
        ("terms of use", "of the", None),
    ],
)
def test_label_leak(query: str, label: str, expected: str | None) -> None:
    """The phrase leaks, and so do all its content words; whole words only where there are any."""
    assert reason("label_leak", record(query, label, None, label=label)) == expected


def test_label_leak_needs_a_label() -> None:
    """A record without a label leaks none."""
    assert reason("label_leak", record("rebuilt", "rebuilt")) is None


def test_language() -> None:
    """Only a long text, in a language surely another, is dropped."""
    german = "Der Stadtrat hat gestern einen neuen Plan für den Hafen beschlossen."
    assert reason("language", record(query=german)) == "query_wrong_language"
    assert reason("language", record(positive=german)) == "positive_wrong_language"
    assert reason("language", record(negative=german)) == "negative_wrong_language"
    assert reason("language", record(query=german, language="de-en")) is None
    assert reason("language", record(query="Wo ist der Hafen?")) is None
    assert reason("language", record(query=german), min_confidence=1.0) is None
    assert reason("language", record(positive=german, label="x")) is None
    assert reason("language", record(german, german, german, language="ha")) is None
    japanese = record("他党と比べてどの武力行使に慎重？", DOCUMENT_JA, language="ja")
    assert reason("language", japanese) == "negative_wrong_language"
    mixed = record(DOCUMENT_JA, DOCUMENT_JA, DOCUMENT_JA, language="en")
    assert reason("language", mixed) == "query_wrong_language"


def test_language_tolerates_relatives() -> None:
    """Serbian that the detector takes for Croatian is kept."""
    text = "Gradsko vijeće je jučer usvojilo novi plan za luku i obalu rijeke."
    assert reason("language", record(text, text, text, language="sr")) is None
    assert reason("language", record(text, text, text, language="de")) == "query_wrong_language"


def test_script() -> None:
    """A query may be mostly foreign names; a document may not."""
    rule = "script"
    english = record("how to make sourdough", DOCUMENT_JA, OTHER_JA, language="ja")
    assert reason(rule, english) == "query_wrong_script"
    named = record("Kubernetes Ingress 設定", DOCUMENT_JA, OTHER_JA, language="ja")
    assert reason(rule, named) is None
    assert reason(rule, named, query_min_share=0.5) == "query_wrong_script"
    assert reason(rule, record("雪", DOCUMENT, OTHER_JA, language="ja")) == "positive_wrong_script"
    assert reason(rule, record("雪", DOCUMENT_JA, OTHER, language="ja")) == "negative_wrong_script"
    assert reason(rule, record("Windows 11", DOCUMENT_JA, OTHER_JA, language="ja")) is None
    assert reason(rule, record(DOCUMENT_JA)) == "query_wrong_script"


def test_chain_runs_in_the_registrys_order_and_skips_what_is_off() -> None:
    """The first rule of the registry gives the reason, whatever the order of the spec."""
    item = record(query="...")
    both = compile_rules({"length": {"query": {"min_words": 2}}, "placeholder": {}})
    assert [name for name, _ in both.rules] == ["placeholder", "length"]
    assert apply(both, item) == Reject("query_placeholder", "the query holds '...'")
    off = compile_rules({"length": {"query": {"min_words": 2}}, "placeholder": False})
    assert apply(off, item) == Reject("query_too_short", "0 words, fewer than 2")
    assert apply(compile_rules({}), item) is None


def test_compile_rules_reports_every_problem() -> None:
    """Unknown rules and thresholds, and bad values, each with its place."""
    spec = {
        "lenght": {},
        "empty": {"min": 1},
        "repetition": {"max_shares": 0.2, "max_share": "much"},
        "length": {"query": {"min_word": 3}, "axis": {"n": {"fields": ["title"]}}},
        "script": True,
    }
    with pytest.raises(TaxonomyError) as caught:
        compile_rules(spec, where="tasks.yaml > short-long > filters")  # type: ignore[arg-type]
    places = [
        problem.removeprefix("tasks.yaml > short-long > filters > ")
        for problem in caught.value.problems
    ]
    assert places == [
        "lenght: no such rule (did you mean length?)",
        "empty > min: no such threshold (known: none)",
        "repetition > max_shares: no such threshold (did you mean max_share?)",
        (
            "repetition > max_share: Input should be a valid number, unable to parse string as a "
            "number; found 'much'"
        ),
        "length > query > min_word: Unexpected keyword argument; found 3",
        (
            "length > axis > n > fields > 0: Input should be 'query', 'positive' or 'negative'; "
            "found 'title'"
        ),
        "script: thresholds as a mapping, or false, expected; found True",
    ]
    assert "rules: empty, placeholder, length" in caught.value.hint


def test_every_threshold_has_a_default() -> None:
    """A rule can be named with no thresholds at all."""
    for rule in RULES.values():
        assert all(p.default is not p.empty for p in thresholds_of(rule).values())


SAID = st.lists(
    st.sampled_from(
        ["the", "And", "or", "and",
         "river", "RIVER", "injuries", "a", ",", ", and", ".", "  ", "\n",
         "The quiet river repairs the old bridge near the market", "x", "川", "---", "!"]
    ),
    max_size=60,
).map(" ".join)  # fmt: skip


@given(text=SAID)
def test_a_stutter_is_found_as_the_pattern_finds_it(text: str) -> None:
    """The look at equal neighbours, which comes first, hides none."""
    line = says_little._line(text)
    found = says_little._stutter(text, line, line.split())
    expected = says_little._STUTTER.search(text)
    assert (found and found.span()) == (expected and expected.span())


@given(text=SAID, max_same=st.integers(0, 3), share=st.sampled_from([0.35, 0.9, 1.0]))
def test_repetition_skips_no_measure_that_would_reject(
    text: str, max_same: int, share: float
) -> None:
    """Against all three measures taken in full."""
    line = repetition._RULED.sub(" ", text.casefold())
    size = 8 if unspaced_share(line) > 1 / 3 else 20
    hashes = ngram_hashes(line, min(size, max(4, len(line) // 5)))

    def repeated(part: Any) -> float:
        return 1 - distinct(part).size / part.size if part.size else 0.0

    sentence, copies = repetition._most_frequent_sentence(line, size)
    expected = (
        repeated(hashes) > share
        or repeated(hashes[-300:]) > 0.6
        or (copies > max_same and copies * len(sentence) > 0.15 * len(line))
    )
    record = make_record(
        family="f", task="t", language="en", query=text, positives=("fine",), negatives=()
    )
    found = repetition.check(record, {}, max_share=share, max_same_sentence=max_same)
    assert (found is not None) == expected


def test_loading_a_chain_asks_every_rule_for_what_it_needs() -> None:
    """So that the first record of a run does not: the language model is there afterwards."""
    langid._model.cache_clear()
    load(compile_rules({name: {} for name in RULES}))
    assert langid._model.cache_info().currsize == 1
