"""How models decline, by language: patterns over a text in lower case.

Two tables. `OPENS`: an excuse or an inability to do what models are asked for, at the beginning of
the text or of one of its first sentences. `SPEAKS_AS_AI`: the model speaks of itself.
"""

from __future__ import annotations

# What a model is asked to make or do; a customer who "can't accept this" or "can't come" stays.
_MADE = (
    r"(?:request|prompt|content|passage|document|quer(?:y|ies)|text|response|answer|information"
    r"|translation|task|instructions?|essay|stor(?:y|ies)|material|sentences?|article|output"
    r"|example|topic|subject|question|opinions?|advice|assistance|summary)\w*"
)
_MAKE = (
    r"(?:assist|comply|fulfil+|generate|produce|create|write|compose|draft|provide|give|offer|share"
    r"|complete|continue|engage|discuss|answer|respond|translate|process|support|participate"
    r"|perform|carry out|summari[sz]e|supply|help)"
)
_EN_CANNOT = (
    r"i(?:['’]m| am)? (?:(?:simply |just )?(?:can['’]?t|cannot|can not|could not|won['’]?t|will not"
    r"|wouldn['’]t)(?: be able to)?|(?:not able|unable|not allowed|not permitted|not programmed"
    r"|not designed|not equipped|not authori[sz]ed|not going|forbidden|not in a position) to"
    r"|(?:must|have to|need to|will have to|would have to)(?: \w+ly)? (?:decline|refuse)(?: to)?"
    r"|(?:do not|don['’]t|am not|not) (?:feel )?comfortable"
    "|(?:do not|don['’]t) have (?:the (?:ability|capability|means)|enough|sufficient|access"
    "|any access)"
    r"|have no (?:access|way|ability)|lack the|refuse to|decline to|am prohibited from|am bound by)"
)
_EN_EXCUSE = (
    r"(?:(?:i(?:['’]m| am) )?(?:\w+ )?(?:sorry|afraid)|(?:my |sincere )*apologies"
    r"|i (?:\w+ )?apologi[sz]e"
    r"|unfortunately|regrettably|as much as i)"
)

OPENS: dict[str, tuple[str, ...]] = {
    "en": (
        (r"(?:[^.!?\n\"“”]{0,90}[,;:] "
        rf"|{_EN_EXCUSE}[^a-z]{{1,3}}(?:but )?)?{_EN_CANNOT}\b[^.!?\n]{{0,50}}\b"
        rf"(?:assist|comply|fulfil+|{_MAKE} (?:\w+ ){{0,4}}{_MADE}|access (?:to )?(?:\w+ ){{0,3}}"
        rf"(?:internet|documents|real-time|sources?|external|current)|{_MADE} to (?:{_MAKE})"
        "|(?:generating|writing|creating|providing|producing|answering|discussing) (?:this"
        "|that|such|any)?"
        r"|(?:write|generate|create|produce|answer|translate|continue|do) (?:this|that)\b)"),
        (rf"{_EN_EXCUSE}[^.!?\n]{{0,60}}(?:can['’]?t|cannot|unable to|not able to) (?:help"
        "|assist|fulfil|comply)"),
        (rf"{_EN_EXCUSE}\W[^.!?\n]{{0,80}}(?:this|that|your|the) (?:is (?:a )?)?(?:request"
        "|prompt|task|content)"),
        (r"(?:sorry|apologies|unfortunately)\W[^.!?\n]{0,25}(?:(?:that|this|it)(?:['’]s"
        "| is) (?:beyond|outside|not"
        r" something|something (?:that )?i))"),
        ("(?:this|the|your|that) (?:request|prompt|content|question|topic|task"
        r"|query)(?: \w+)? (?:violates?"
        r"|goes against|is against|would violate|falls outside|is outside|may be harmful|is harmful"
        r"|can(?:not|['’]t) be (?:fulfilled|completed|answered|processed))"),
        ("(?:it (?:is|would)(?:n['’]t| not)?(?: be)?|it['’]s not) (?:in)?(?:appropriate|ethical"
        "|unethical"
        "|irresponsible|possible|wrong|acceptable|right) (?:for me )?to (?:create|write"
        "|generate|provide"
        r"|produce|assist|fulfil|answer)"),
        r"(?:no (?:response|answer|text|content) (?:can|could) be (?:generated|provided|given))",
        ("(?:please|could you(?: please)?|can you(?: please)?) (?:provide|clarify|give|share"
        r"|rephrase)[^.!?\n]{0,30}"
        r"(?:your (?:request|prompt|query)|more context|(?:the|your) (?:source|original) text"
        r"|the (?:text|passage|document) (?:you|that))"),
    ),
    "ja": (
        (r"(?:[^。\n]{0,30})(?:申し訳|申しわけ|すみません|すいません|ごめんなさい|恐れ入り|恐縮"
        "|残念|お詫び|ご期待に(?:沿|添))"
        ".{0,50}(?:リクエスト|要求|要望|依頼|質問|指示|コンテンツ|回答|お?答え|お?応え|手伝"
        "|文章|文書|テキスト|クエリ|生成"
        r"|作成|翻訳|情報|内容|話題|タスク|執筆|この件|トピック).{0,40}"
        "(?:できません|できかね|致しかね|いたしかね|出来ません|応じられ|お?(?:応え"
        "|答え)(?:でき|られ)|控え|わかりかね"
        r"|分かりかね|許され|不可能|ありません|お受けでき)"),
        ("(?:そ|こ|当該|ご|お)?(?:の)?(?:ような)?(?:質問|リクエスト|依頼|要求|要望|内容|話題|件"
        "|トピック|文章|文書)"
        r"[^。\n]{0,20}(?:答え|応え|応じ|対応|回答|手伝い|提供|作成|生成|お受け)[^。\n]{0,12}"
        r"(?:できません|できかね|いたしかね|致しかね|られません|かねます)"),
        (r"[^。\n]{0,40}(?:ポリシー|ガイドライン|倫理|安全上|不適切|有害)[^。\n]{0,40}"
        r"(?:できません|かねます|控えさせて|控えます|応じられ|お断り)"),
        r"[^。\n]{0,40}(?:回答|お答え|作成|生成)(?:は|を)(?:差し)?控えさせて",
    ),
    "zh": (
        (r"[^。\n]{0,12}(?:抱歉|对不起|對不起|很遗憾|很遺憾|不好意思).{0,30}(?:无法|無法|不能"
        "|没有办法|沒有辦法|不便|无权"
        "|未能|没法|违反).{0,20}(?:提供|协助|協助|回答|生成|完成|满足|帮|幫|撰写|写|创作|处理"
        "|回应|继续|翻译|执行|讨论|政策)"),
        (".{0,14}(?:违反|不符合|涉及).{0,14}(?:政策|规定|准则|指南|道德|法律"
        "|规范).{0,24}(?:无法|不能|不会|拒绝)"),
        r"我(?:无法|不能|没有办法)(?:提供|协助|回答|生成|完成|满足|撰写|为您|为你|访问)",
    ),
    "ko": (
        (r"[^.\n]{0,12}(?:죄송|미안|유감|안타깝).{0,50}(?:요청|질문|내용|답변|도움|도와|작성"
        "|생성|제공|정보|번역).{0,30}"
        r"(?:수 없|어렵습니다|못합니다|불가)"),
    ),
    "de": (
        ("(?:es )?(?:tut mir (?:sehr )?leid|leider|entschuldigung|verzeihung|ich bedau[er]+e?"
        "|ich entschuldige)"
        r"[^.!?\n]{0,80}(?:nicht|keine[nrms]?)\b[^.!?\n]{0,50}(?:helfen|beantworten|erfüllen"
        "|erstellen|schreiben"
        "|verfassen|bereitstellen|generieren|unterstützen|antworten|nachkommen|übersetzen"
        "|liefern|geben)"),
        ("leider bin ich nicht in der lage|ich (?:kann|darf) (?:diese|ihre|deine|solche|diesen"
        r"|dieser)[^.!?\n]{0,40}"
        r"(?:nicht|keine)[^.!?\n]{0,20}(?:beantworten|erfüllen|erstellen|verfassen|generieren"
        "|nachkommen)"),
    ),
    "fr": (
        (r"(?:je (?:suis|m['’]excuse)[^.!?\n]{0,12}|toutes mes excuses|mes excuses"
        "|(?:vraiment )?désolée?|navrée?"
        r"|malheureusement)[^.!?\n]{0,60}(?:ne (?:peux|puis|pourrai|suis pas en mesure"
        "|suis pas capable))"
        r"[^.!?\n]{0,60}(?:aider|répondre|générer|fournir|créer|écrire|rédiger|produire"
        "|traduire|accéder|satisfaire)"),
    ),
    "es": (
        ("(?:lo siento|lamento|lamentablemente|disculp[ae]|perdón"
        r"|me temo)[^.!?\n]{0,60}no (?:puedo|podré|me es posible"
        r"|es posible|estoy (?:programad[oa]|autorizad[oa]|capacitad[oa])|tengo)[^.!?\n]{0,60}"
        "(?:ayudar|asistir|cumplir|generar|proporcionar|crear|escribir|responder|traducir"
        "|redactar|información|acceso)"),
    ),
    "pt": (
        ("(?:desculpe?|sinto muito|lamento|infelizmente"
        r"|peço desculpas)[^.!?\n]{0,60}não (?:posso|consigo|é possível"
        r"|sou capaz|tenho)[^.!?\n]{0,60}(?:ajudar|atender|gerar|fornecer|criar|escrever"
        "|responder|traduzir|informaç)"),
    ),
    "it": (
        (r"(?:mi dispiace|mi scuso|purtroppo|spiacente)[^.!?\n]{0,60}non (?:posso|sono in grado"
        "|è possibile|ho)"
        r"[^.!?\n]{0,60}(?:aiutar|soddisfare|generare|fornir|creare|scrivere|rispondere"
        "|tradurre|assister|informazioni)"),
    ),
    "nl": (
        (r"(?:het spijt me|sorry|helaas)[^.!?\n]{0,60}(?:niet|geen)\b[^.!?\n]{0,50}(?:helpen"
        "|beantwoorden|voldoen|maken"
        r"|schrijven|genereren|geven|verstrekken|vertalen)"),
    ),
    "pl": (
        (r"(?:przepraszam|przykro mi|niestety)[^.!?\n]{0,60}nie (?:mogę"
        r"|jestem w stanie)[^.!?\n]{0,50}"
        r"(?:pomóc|spełnić|wygenerować|napisać|odpowiedzieć|udzielić|stworzyć|przetłumaczyć)"),
    ),
    "ru": (
        ("(?:извините|простите|к сожалению|сожалею|прошу прощения"
        r"|мне жаль)[^.!?\n]{0,60}(?:не (?:могу|смогу|в состоянии"
        r"|имею)|невозможно)[^.!?\n]{0,60}(?:помо|ответ|созда|предостав|напис|выполн|сгенерир"
        "|перевест|доступ)"),
    ),
    "ar": (
        (r"(?:أنا )?(?:آسف|أعتذر|عذر[اً]+|للأسف|المعذرة)[^.!؟\n]{0,60}(?:لا (?:أستطيع|يمكنني"
        "|أملك)|لن أتمكن|غير قادر|ليس بإمكاني)"
        r"[^.!؟\n]{0,60}"),
        r"لا (?:أستطيع|يمكنني) (?:تلبية|المساعدة|تقديم|إنشاء|كتابة|الإجابة|توليد)",
    ),
    "th": (("(?:ขออภัย|ขอโทษ|เสียใจ).{0,40}(?:ไม่สามารถ|ไม่อาจ).{0,30}(?:ช่วย|ตอบ|สร้าง|เขียน"
           "|ให้ข้อมูล|ดำเนินการ|แปล)"),),
    "vi": ((r"(?:xin lỗi|rất tiếc)[^.!?\n]{0,50}không thể[^.!?\n]{0,30}(?:giúp|trả lời|tạo|viết"
           "|cung cấp|đáp ứng|dịch)"),),
    "id": (
        (r"(?:maaf|mohon maaf|sayangnya)[^.!?\n]{0,50}(?:tidak (?:dapat|bisa)|belum (?:dapat"
        r"|bisa))[^.!?\n]{0,40}"
        r"(?:membantu|menjawab|membuat|menulis|memberikan|memenuhi|menghasilkan|menerjemahkan)"),
    ),
    "tr": (
        (r"(?:üzgünüm|özür dilerim|maalesef|ne yazık ki)[^.!?\n]{0,60}(?:yardımcı olamam"
        "|yanıtlayamam|oluşturamam"
        r"|yazamam|sağlayamam|yerine getiremem|cevaplayamam|çeviremem|olamıyorum|mümkün değil)"),
    ),
    "hi": (r"(?:क्षमा|माफ़|माफ|खेद).{0,50}(?:नहीं|असमर्थ).{0,30}(?:सकता|सकती|हूँ|हूं|हैं)",),
}  # fmt: skip

_EN_AI = (
    r"(?:an? )?(?:\w+ )?(?:(?:ai|a\.i\.|artificial intelligence)(?: language)?"
    r"(?: models?| assistant| chatbot| bot| system| program| agent)?(?=,| i\b| that| who"
    "| trained| created"
    r"| developed| designed| without| and\b| so\b|\.)|(?:large )?language model\b|llm\b|chatbot\b"
    r"|computer program\b|virtual assistant\b|text-based (?:ai|model)\b|machine learning model\b)"
)
SPEAKS_AS_AI: dict[str, tuple[str, ...]] = {
    "en": (
        (f"(?:{_EN_EXCUSE}[^a-z]{{1,3}}(?:but )?)?(?:as|being|since i(?:['’]m| am)"
         "|because i(?:['’]m"
        rf"| am)) {_EN_AI}[^.!?\n]{{0,60}},? (?:i|my)\b"),
        (rf"i(?:['’]m| am) (?:just |only |merely |simply )?{_EN_AI}[^.!?\n]{{0,60}}(?:\bi\b"
        "|and (?:do|can|have|am|was|not)"
        r"|, so|trained|created|developed|designed|without|\.)"),
        ("my (?:training data|knowledge (?:was|is|cut-?off|only|base)|programming|guidelines"
        r"|training|last update)\b"),
        ("i was (?:created|trained|developed|made|built) by (?:openai|anthropic|google|meta"
        "|alibaba|mistral|deepseek"
        r"|microsoft)"),
        ("(?:unfortunately, |sorry, |however, )?i (?:do not|don['’]t) (?:have"
        "|possess) (?:any )?(?:personal (?:opinions?|experiences?"
        "|feelings|beliefs|views)|real-time|access to (?:real-time|the internet|external"
        "|the source|the original))"),
    ),
    "ja": (
        ("(?:私|わたし|当方)?は?(?:、)?(?:単なる|ただの|一つの)?(?:ai|ａｉ|人工知能"
        "|(?:大規模)?言語モデル|チャットボット"
        "|コンピュータープログラム)(?:の)?(?:言語)?(?:アシスタント|モデル"
        "|プログラム)?(?:である私|として(?:は|、|,|の私)|であり|である(?:ため|の)"
        r"|なので|ですので|ですから|のため|に過ぎ|にすぎ)[^。\n]{0,40}(?:私|意見|経験|感情"
        "|アクセス|ません|お答え|できない)"),
        (r"(?:私の知識|学習データ|私のトレーニング|私の学習)(?:は|では|に)[^。\n]{0,25}(?:まで"
        "|時点|年|含まれ)"),
        (r"(?:私は)[^。\n]{0,15}(?:openai|anthropic|google|アリババ|alibaba)[^。\n]{0,12}(?:開発"
        "|訓練|作ら|トレーニング)"),
    ),
    "zh": (
        ("(?:作为|作為|身为|我是|我只是)(?:一个|一個|一名|一款|个)?.{0,8}(?:ai|人工智能"
        "|人工智慧|语言模型|語言模型|聊天机器人)"
        r"(?:语言模型|語言模型|助手|模型|程序)?.{0,16}(?:我|无法|不能|没有|沒有)"),
    ),
    "ko": (("(?:저는 )?(?:ai|인공지능|언어 모델)(?: 언어 모델| 모델| 어시스턴트)?(?:로서"
           "|이기 때문에|이므로|이라서)"),),
    "de": (r"als (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell|ki-\w+)\b",),
    "fr": (("en tant qu(?:e |['’])(?:une? )?(?:ia|intelligence artificielle|modèle de langage"
           r"|assistant)\b"),),
    "es": (("como (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje"
           r"|asistente (?:virtual|de ia))\b"),),
    "pt": (("como (?:uma? )?(?:ia|inteligência artificial|modelo de linguagem"
           r"|assistente (?:virtual|de ia))\b"),),
    "it": (("(?:come|in quanto) (?:una? )?(?:ia|intelligenza artificiale|modello linguistico"
           r"|assistente (?:virtuale|ai))\b"),),
    "nl": (r"als (?:een )?(?:ai|taalmodel|ai-\w+)\b",),
    "pl": (r"jako (?:sztuczna inteligencja|model językowy|ai)\b",),
    "ru": (("(?:как|я[ —–-]+|будучи) (?:ии|искусственный интеллект|языковая модель"
           r"|языковой моделью)\b"),),
    "ar": (r"(?:بصفتي|كنموذج|باعتباري|كوني|أنا مجرد).{0,12}(?:ذكاء|لغوي|لغة|نموذج|مساعد)",),
    "th": (r"ในฐานะ(?:ที่เป็น)?(?:ai|ปัญญาประดิษฐ์|โมเดลภาษา|แบบจำลองภาษา)",),
    "vi": (r"(?:là|với tư cách là) (?:một )?(?:ai|trí tuệ nhân tạo|mô hình ngôn ngữ)",),
    "id": (r"sebagai (?:sebuah )?(?:ai|kecerdasan buatan|model bahasa|asisten (?:ai|virtual))",),
    "tr": (r"bir (?:yapay zek[aâ]|dil modeli)(?: \w+)? olarak",),
}  # fmt: skip
