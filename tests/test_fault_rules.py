"""The rules about what models do wrong: what each drops, and the neighbour that it keeps.

English and Japanese each, and other languages where a rule knows them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from passages import DOCUMENT_JA, OTHER, OTHER_JA

from generator.filters import apply, compile_rules
from generator.filters.numerals import han_number, values
from generator.prompts import Renderer
from generator.records import Provenance, Record, make_record

PROMPTS = Path(__file__).parent.parent / "prompts"
DOCUMENT = (
    "The harbour of Aberdeen was rebuilt after the flood of 1829. Engineers dug a new basin, moved "
    "the mouth of the river Dee to the south, and paid for all of it with a tax on coal."
)


def english(
    query: str = "why was the harbour rebuilt", positive: str = DOCUMENT, negative: str = OTHER
) -> Record:
    return made(query, positive, negative, "en")


def japanese(
    query: str = "雪まつりの始まりは何年か", positive: str = DOCUMENT_JA, negative: str = OTHER_JA
) -> Record:
    return made(query, positive, negative, "ja")


def pair(query: str, positive: str, language: str, negative: str = "Something else.") -> Record:
    return made(query, positive, negative, language, symmetric=True)


def made(
    query: str, positive: str, negative: str, language: str, *, symmetric: bool = False
) -> Record:
    return make_record(
        family="f",
        task="",
        language=language,
        query=query,
        positives=(positive,),
        negatives=(negative,),
        symmetric=symmetric,
        provenance=Provenance(),
    )


def reason(rule: str, item: Record, **thresholds: object) -> str | None:
    reject = apply(compile_rules({rule: thresholds}), item)
    return None if reject is None else reject.reason


RULES = (
    "unfinished", "boilerplate", "query_copied", "giveaway", "says_nothing", "mixed_script",
    "personal_data", "toxic", "translation", "refusal", "meta_talk", "placeholder", "language",
)  # fmt: skip


@pytest.mark.parametrize("item", [english(), japanese()], ids=["en", "ja"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_keeps_plain_records(rule: str, item: Record) -> None:
    """What the other tests change one thing in is kept as it is."""
    assert reason(rule, item) is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (english(positive=DOCUMENT[:-30]), "positive_unfinished"),
        (english(negative=OTHER[:-6] + "..."), "negative_unfinished"),
        (japanese(positive=DOCUMENT_JA[:-8]), "positive_unfinished"),
        (japanese(negative=OTHER_JA[:-5] + "……"), "negative_unfinished"),
        (english("what is the capital of the"), "query_unfinished"),
        (english("What is the name of"), "query_unfinished"),
        (japanese("雪まつりが始まった年を"), "query_unfinished"),
        (english("what is glass made of"), None),
        (english("tell me what peer review is"), None),
        (japanese("雪まつりは何という公園で"), "query_unfinished"),
        (japanese("この公園を何という"), None),
        (japanese("石けんは何性の物質という"), None),
        (japanese("新しい港の工事はいつ終わるの"), None),
        (japanese("この町で盛んなもの"), None),
        (japanese("この町で遊ぶ子どもの"), "query_unfinished"),
        (japanese("工事が終わったのは何年の"), "query_unfinished"),
        (english(positive=f"{DOCUMENT}\n- a tax on coal"), None),
        (english(positive=f"He said: “{DOCUMENT}”"), None),
        (english(positive="A short caption without a stop"), None),
        (made("q", "ท่าเรือถูกสร้างขึ้นใหม่หลังจากน้ำท่วมครั้งใหญ่" * 3, OTHER, "th"), None),
    ],
)
def test_unfinished(item: Record, expected: str | None) -> None:
    """Documents end in a stop, a bracket or a list; queries in a word that asks for no other."""
    assert reason("unfinished", item) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (english(positive=f"{DOCUMENT} Subscribe to our newsletter."), "positive_boilerplate"),
        (english(negative=f"Home | News | Sport\n{OTHER}"), "negative_boilerplate"),
        (japanese(positive=f"{DOCUMENT_JA}無断転載を禁じます。"), "positive_boilerplate"),
        (japanese(negative=f"{OTHER_JA}\nこの記事をシェアする"), "negative_boilerplate"),
        (english(positive=f"{DOCUMENT} Its newsletter is read at home by many."), None),
        (english("how to subscribe to our newsletter", "Subscribe to our newsletter below."), None),
        (japanese(positive=f"{DOCUMENT_JA}記事を読んだ人も多い。"), None),
        (japanese(positive=f"広告が貼られたバスが停まる。{DOCUMENT_JA}雪像にはバスの広告"), None),
        (japanese(positive=f"{DOCUMENT_JA}\n広告"), "positive_boilerplate"),
        (english(positive=f"It is kept in /home/ann. {DOCUMENT}"), None),
        (english(positive=f"Home / News. {DOCUMENT}"), "positive_boilerplate"),
    ],
)
def test_boilerplate(item: Record, expected: str | None) -> None:
    """A page's furniture at an edge, unless the query asks for it."""
    assert reason("boilerplate", item) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"Who paid for it? {DOCUMENT.split('. ')[1]}", "answer_in_query"),
        (("engineers dug a new basin, moved the mouth of river Dee to the south, and paid for all"
         " of it with a tax on coal"), "query_in_positive"),
        ("Engineers dug a new basin and moved a river. Who paid for all of it?", None),
        ("did the engineers dig a new basin with a tax on coal", None),
    ],
)  # fmt: skip
def test_a_query_holds_no_statement_of_its_positive(query: str, expected: str | None) -> None:
    """A statement of the positive is a copy, or an answer; before a question it is context."""
    assert reason("query_copied", english(query, f"{DOCUMENT} {OTHER}")) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"誰が作ったのですか？{DOCUMENT_JA[:42]}", "answer_in_query"),
        ("いまでは毎年二月に二百万人ほどが訪れ、市民の団体が大きな雪像を競って作る。",
         "query_in_positive"),
        ("地元の高校生が六つの雪像を大通公園に作ったのは何年ですか？", None),
        ("大通公園に作った雪像の数は？", None),
    ],
)  # fmt: skip
def test_a_japanese_query_holds_no_statement(query: str, expected: str | None) -> None:
    """Questions there take whole clauses over, and are none the worse."""
    assert reason("query_copied", japanese(query)) == expected


@pytest.mark.parametrize(
    ("item", "dropped"),
    [
        (english("When was the new basin dug in 1829?"), True),
        (english("In what year was the harbour rebuilt on May 3, 1829?"), True),
        (english("When was the harbour that was destroyed in 1829 rebuilt?"), False),
        (english("When did the mayor resign after the flood of 1829?"), False),
        (english("What was the name of Radcliffe College?"), True),
        (english("What is the name of the University of Aberdeen's Marischal Hall?"), True),
        (english("What is the name of the harbour of Aberdeen?"), False),
        (japanese("1950年に雪まつりが始まったのはいつですか"), True),
        (japanese("高校生が雪像を作った雪まつりは1950年の何月に始まったか"), False),
    ],
)
def test_a_question_that_holds_its_answer(item: Record, dropped: bool) -> None:
    """A date or a name that is asked for and said; one that only helps to find it stays."""
    assert reason("answers_itself", item) == ("query_answers_itself" if dropped else None)


def test_a_query_that_ends_in_an_opening_bracket_is_unfinished() -> None:
    """In any language, and however short the words before it."""
    assert reason("unfinished", english("what does the family name (")) == "query_unfinished"
    assert reason("unfinished", japanese("札幌の雪まつりの始まりは（")) == "query_unfinished"
    assert reason("unfinished", english("what is a basin (harbour)")) is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (english(positive=f"Why was the harbour rebuilt? {DOCUMENT}"), "positive_repeats_query"),
        (english("harbour rebuilt", f"Harbour rebuilt\n{DOCUMENT}"), None),
        (japanese("雪まつりはいつ始まりましたか？", f"雪まつりはいつ始まりましたか？{DOCUMENT_JA}"),
         "positive_repeats_query"),
        (japanese("札幌の雪まつりは", DOCUMENT_JA), None),
    ],
)  # fmt: skip
def test_giveaway(item: Record, expected: str | None) -> None:
    """A document may begin with keywords, not with the question."""
    assert reason("giveaway", item) == expected


def test_a_pair_of_sentences_gives_nothing_away() -> None:
    """Texts of one kind may begin alike."""
    item = pair("Why was it rebuilt after all?", "Why was it rebuilt after all? " * 3, "en")
    assert reason("giveaway", item) is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (english(positive="There are many ways to do this, and each of them has its advantages. It"
                 " is important to find the one that works best for you."),
         "positive_says_nothing"),
        (japanese(positive="これはとても重要なことです。多くの人が大切だと考えています。理解することが必要です。"),
         "positive_says_nothing"),
        (english("tell me about it"), "query_says_nothing"),
        (japanese("それについて教えて"), "query_says_nothing"),
        (english("photosynthesis"), None),
        (japanese("光合成"), None),
        (made("was ist das", "Das ist so, und so ist es." * 5, OTHER, "de"), None),
    ],
)  # fmt: skip
def test_says_nothing(item: Record, expected: str | None) -> None:
    """Words that fit any subject say nothing; one that does not is enough for a query."""
    assert reason("says_nothing", item) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (english(positive=DOCUMENT.replace("new basin", "nеw bаsin")), "positive_mixed_script"),
        (english(positive=DOCUMENT.replace("flood", "floodâ€™s")), "positive_mixed_script"),
        (english(positive=DOCUMENT.replace("a tax", "a 関税 tax")), "positive_mixed_script"),
        (english(positive=DOCUMENT.replace("a tax", "a tax (関税)")), None),
        (english(positive=DOCUMENT.replace("a tax", "5 μm of naïve α-helix")), None),
        (english(positive="The word 関税 means a tax in Japanese."), None),
        (japanese(positive=DOCUMENT_JA.replace("市民", "граждане")), "positive_mixed_script"),
        (japanese(positive=DOCUMENT_JA.replace("市民", "这个市民们")), "positive_mixed_script"),
        (japanese(positive=DOCUMENT_JA.encode().decode("cp1252", "replace")),
         "positive_mixed_script"),
        (japanese(positive=DOCUMENT_JA.replace("市民", "NPO「граждане」")), None),
        (made("q", "Порт был построен зановo после наводнения.", OTHER, "ru"),
         "positive_mixed_script"),
    ],
)  # fmt: skip
def test_mixed_script(item: Record, expected: str | None) -> None:
    """Look-alikes, broken bytes, foreign words; names in brackets and talk of words stay."""
    assert reason("mixed_script", item) == expected


@pytest.mark.parametrize(
    ("query", "positive", "language", "expected"),
    [
        ("駅まで15分かかる。", "It takes 25 minutes to the station.", "ja-en", "other_numbers"),
        ("駅まで十五分かかる。", "It takes 15 minutes to the station.", "ja-en", None),
        ("三十分でお願いします。", "In 30 minutes, please.", "ja-en", None),
        ("会議は19時からだ。", "The meeting starts at 7.", "ja-en", None),
        ("彼は三人の子を持つ。", "He has five children.", "ja-en", "other_numbers"),
        ("五十万人が住む。", "Half a million people live there.", "ja-en", None),
        ("彼には十分な金がある。", "He has enough money for the two of them.", "ja-en", None),
        ("Er kam vor zwei Jahren.", "He came 2 years ago.", "de-en", None),
        ("Tom liebt Maria.", "Peter loves Mary.", "de-en", "other_names"),
        ("トムはメアリーを愛している。", "Tom loves Mary.", "ja-en", None),
        ("トムはメアリーを愛している。", "Tom loves Alice.", "ja-en", "other_names"),
        ("私は昨日、友達と一緒に京都の寺を見に行った。", "I went.", "ja-en", "other_length"),
        ("私は昨日、友達と一緒に京都の寺を見に行った。",
         "Yesterday I went to see temples in Kyoto with a friend.", "ja-en", None),
    ],
)  # fmt: skip
def test_translation(query: str, positive: str, language: str, expected: str | None) -> None:
    """Numbers by value, in digits or words; given names in any alphabet; lengths in letters."""
    found = reason("translation", pair(query, positive, language))
    assert found == (expected and f"positive_{expected}")


def test_translation_is_for_two_languages() -> None:
    """Of two sentences of one language nothing is said."""
    assert reason("translation", pair("He has 3.", "He has 5.", "en")) is None


@pytest.mark.parametrize(
    ("run", "number"), [("二十三", 23), ("一九四五", 1945), ("三万五千", 35000), ("百", 100)]
)
def test_han_numbers(run: str, number: int) -> None:
    """In places and by units."""
    assert han_number(run) == number


def test_numbers_of_a_text() -> None:
    """Full-width digits, separators and scales; words of one value."""
    assert values("１，２００円", "ja").digits == {1200}
    assert values("3 million and 2.5", "en").digits == {3_000_000, 2.5}
    assert values("twenty-five men", "en").words == {25}
    assert values("一番十分", "ja").words == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ann.lee@mail.org.", True),
        ("Call +44 7700 900417 at noon.", True),
        ("電話は090-5555-0147です。", True),
        ("Her card is 4111 1111 1111 1111.", True),
        ("Pay to GB82 WEST 1234 5698 7654 32.", True),
        ("〒530-0001 大阪市北区", True),
        ("Write to info@example.com.", False),
        ("The serial number is 4111 1111 1111 1112.", False),
        ("From 1939-1945 some 1,200,000 people left.", False),
        ("ISBN 978-4-00-310101-8 は絶版です。", False),
    ],
)
def test_personal_data(text: str, expected: bool) -> None:
    """Check digits are checked; addresses of nobody stay."""
    found = reason("personal_data", english(positive=f"{DOCUMENT} {text}"))
    assert (found == "positive_personal_data") == expected
    kinds = reason("personal_data", english(positive=f"{DOCUMENT} {text}"), kinds=())
    assert kinds is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You fucking idiot.", True),
        ("お前は死ね。", True),
        ("Du Arschloch!", True),
        ("你这个傻逼", True),
        ("The cocktail is made with scotch in Essex.", False),
        ("彼女は病気で死ねなかったと語る。", False),
    ],
)
def test_toxic(text: str, expected: bool) -> None:
    """Words with no other use; not parts of words."""
    assert (reason("toxic", english(positive=text)) == "positive_toxic") == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Lo siento, pero no puedo ayudar con eso.", "es"),
        ("Je suis désolé, mais je ne peux pas répondre à cette demande.", "fr"),
        ("Als KI-Sprachmodell kann ich das nicht schreiben.", "de"),
        ("К сожалению, я не могу помочь с этим запросом.", "ru"),
        ("عذراً، لا أستطيع المساعدة في هذا الطلب.", "ar"),
        ("ขออภัย ฉันไม่สามารถช่วยเรื่องนี้ได้", "th"),
        ("죄송하지만 해당 요청에는 답변을 드릴 수 없습니다.", "ko"),
        ("ご要望の文章は、ポリシーに反するため作成できません。", "ja"),
        ("It is not appropriate for me to write this.", "en"),
        ("My knowledge was last updated in 2021.", "en"),
    ],
)
def test_refusals_of_many_languages(text: str, language: str) -> None:
    """Whatever the record's own language is."""
    assert reason("refusal", made("q", text, OTHER, language)) == "positive_refusal"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't come to the meeting on Friday.",
        "I cannot find my card, and I am unable to log in.",
        "申し訳ありませんが、本日は休業です。",
        "Es tut mir leid, dass ich zu spät bin.",
        "Lo siento mucho por tu abuela.",
    ],
)
def test_people_apologise_too(text: str) -> None:
    """An apology without what models are asked for is nobody's refusal."""
    assert reason("refusal", english(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        f"<think>The user wants a text.</think>{DOCUMENT}",
        f"```json\n{DOCUMENT}",
        f"{DOCUMENT}\n\nI hope this helps!",
        f"{DOCUMENT}<|im_end|>",
        f"S2: {DOCUMENT}",
        f"{OTHER} However, this passage does not answer the query.",
        f"承知しました。以下は文書です。\n{DOCUMENT_JA}",
        f"{DOCUMENT_JA}\n\n（約200文字）",
        f"{OTHER_JA}この文書は質問に答えていません。",
        f"好的，根据您的要求，我写了如下文章：{DOCUMENT_JA}",
    ],
)
def test_meta_talk_at_both_ends(text: str) -> None:
    """Before the text, after it, and about it."""
    assert reason("meta_talk", english(positive=text)) == "positive_meta_talk"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dear [Customer Name], the harbour", True),
        ("The {city} harbour", True),
        ("The harbour of XXXX", True),
        ("The harbour<br/>", True),
        ("札幌の○○公園", True),
        ("［会社名］の雪まつり", True),
        ("The <b> tag makes HTML text bold.", False),
        ("In 二〇〇〇年 it ended.", False),
        ("He wrote that [sic] it was [citation needed].", False),
    ],
)
def test_residue(text: str, expected: bool) -> None:
    """Blanks and markup, unless the text is about them."""
    found = reason("placeholder", english(positive=f"{DOCUMENT} {text}."))
    assert (found == "positive_placeholder") == expected


def test_the_end_of_a_text_is_in_its_language_too() -> None:
    """A translation that stops half-way, and a short query that is surely foreign."""
    german = "Die Straße war lang, und niemand wusste, wohin sie führte, als der Regen kam. " * 2
    assert reason("language", english(positive=DOCUMENT + german)) == "positive_wrong_language"
    assert reason("language", english("Wie lange dauert die Reise?")) == "query_wrong_language"
    assert reason("language", english("Do you know kabuki?")) is None


def test_example_copied() -> None:
    """An example of the template, or a line of its instructions; its subject alone is nobody's."""
    texts = Renderer(PROMPTS).texts("short-long/staged-passage.j2")
    rust = next(text for text in texts if text.startswith("Rust is"))
    rule = "example_copied"
    assert reason(rule, english(positive=rust), examples=texts) == "positive_copies_prompt"
    changed = rust.replace("weakens", "destroys")
    assert reason(rule, english(positive=changed), examples=texts) == "positive_copies_prompt"
    assert reason(rule, english(positive=rust)) is None
    assert reason(rule, english(positive=DOCUMENT), examples=texts) is None
    assert (
        reason(rule, english("what rust is"), examples=("what rust is",)) == "query_copies_prompt"
    )
    assert reason(rule, japanese("雪まつりの歴史"), examples=("雪まつりの始まり",)) is None
    copied = japanese("雪まつりの始まりとその後の歴史")
    examples = ("雪まつりの始まりとその後の歴史",)
    assert reason(rule, copied, examples=examples) == "query_copies_prompt"
