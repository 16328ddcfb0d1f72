"""How models talk about their answers, by place: patterns over a text in lower case."""

from __future__ import annotations

_THING = (
    r"\b(?:quer(?:y|ies)|passages?|documents?|texts?|answer|json|outputs?|sentences?"
    "|paragraphs?|examples?"
    r"|translation|rewrit\w+|negatives?|positives?|questions?|response|version|article|content"
    r"|message|post)\b"
)
_THING_JA = (
    "(?:クエリ|文書|ドキュメント|パッセージ|回答|翻訳|json|質問文?|文章|例文?|テキスト"
    "|文|訳|記事|内容|応答)"
)
_THING_ZH = r"(?:查询|文档|段落|文本|回答|翻译|文章|内容|例子|示例|句子)"
_YES = (
    "(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|alright|all right"
    "|no problem|got it|understood"
    r"|definitely|gladly|happy to help|with pleasure|thank(?:s| you)[^.!\n]{0,40})"
)
_YES_JA = (
    "(?:はい|もちろん(?:です)?|承知(?:いたし|し|致し)ました|かしこまりました|了解(?:しました"
    "|です|いたしました)|(?:わ|分)かりました"
    r"|喜んで)"
)

# At the beginning: an introduction.
OPENINGS: tuple[str, ...] = (
    (rf"(?:{_YES}\W{{1,4}}(?:{_YES}\W{{1,4}})?)(?:here(?:['’]s| is| are| you go)|i(?:['’]ll"
    "|['’]ve| will| have| can|['’]d| would)"
    " (?:be (?:happy|glad)|write|written|create|created|generate|generated|provide|provided"
    "|love to|help|try)"
    "|below|the following|following|let me|let['’]s|this is|as requested|i(?:['’]m"
    "| am) (?:happy|glad))"),
    ("(?:so,? |well,? |now,? )?(?:here(?:['’]s| is| are)|below (?:is|are)|the following (?:is"
    "|are)|this is) (?:a|an|the|some|your|my"
    rf"|one|two|three|another|\d+)\b[^.:\n]{{0,70}}{_THING}[^.:\n]{{0,60}}(?::|\n)"),
    ("here(?:['’]s| is| are) (?:a|an|the|some|your|my"
    rf"|one)\b[^.:\n]{{0,60}}{_THING}[^.:\n]{{0,40}}(?:you (?:asked|requested|wanted)"
    r"|for you|as requested|requested|that (?:meets|fits|matches|satisfies))"),
    ("(?:below (?:you['’]ll|you will|you can) find|i(?:['’]ve| have) (?:written|created"
    "|prepared|generated|composed|drafted)|i will"
    " (?:write|create|generate)|i['’]ll (?:write|create|generate)|let me (?:write|create"
    "|generate)|i need to (?:write|create|generate))"
    rf"\b[^.:\n]{{0,60}}{_THING}"),
    ("(?:here you go|there you go|as (?:you )?requested|as per your request"
    r"|as an example)\b[^.\n]{0,60}(?:[:\-–—,.!\n])"),
    ("(?:based on|according to|following|given) (?:the|your|these) (?:instructions?"
    "|requirements?|prompt|request|criteria|task"
    rf"|guidelines)\b[^\n]{{0,80}}(?:{_THING}|i (?:came|have|will|would))"),
    ("to (?:fulfil+|meet|satisfy|answer) (?:the|your|this) (?:request|requirements?|task"
    r"|prompt)\b"),
    ("(?:okay|ok|alright|hmm|so|well)[,.]? (?:so |then |now )?(?:i need to|let['’]s|let me"
    "|the (?:user|task)|we need to|i should)"),
    ("(?:let me|let['’]s) think (?:through|step|about (?:this|the (?:task|query|request)))"
    "|(?:the user|the task|the prompt) (?:wants|asks|is asking|requires|says)"
    r"|we (?:need|have) to (?:write|create|generate|produce)"),
    ("i(?:['’]d| would)(?: be (?:happy|glad)| love) to (?:help|assist|write|provide"
    r"|create)[^.!\n]{0,40}[.!:\n]\s*(?=\S[^\0]{40})"),
    ("this (?:passage|document|text) (?:is|would be|serves as) (?:an? |the "
    "|not )?(?:(?:hard )?negative|positive|relevant|irrelevant)"),
    r"this passage (?:provides|discusses|describes|explains|answers|covers|focuses|talks|contains)",
    (rf"{_YES_JA}[、。,!！\s]{{0,3}}(?:もちろん|では|それでは|喜んで)?[、。]?(?:以下|こちら|次"
    "|それでは|では|ご|作成|文章|クエリ|早速|例え)"),
    rf"{_YES_JA}[、。!！]\s*(?=\S[^\0]{{25}})",
    (rf"(?:以下|こちら|下記|次)[はがにの][^。：:\n]{{0,50}}{_THING_JA}[^。：:\n]{{0,16}}(?:です"
    r"|ます|示す|作成)[^。：:\n]{0,6}(?:[。：:！]|$)"),
    rf"(?:以下|下記|次)(?:に|は)[、]?[^。：:\n]{{0,50}}{_THING_JA}[^。：:\n]{{0,20}}[：:]",
    ("(?:ご(?:要望|依頼|指定|指示|リクエスト)|条件|指示)(?:に|の"
    rf"|を)[^。\n]{{0,24}}(?:{_THING_JA})[^。\n]{{0,20}}(?:作成|用意|書き|です|ました)"),
    (rf"(?:それでは|では)[、]?[^。\n]{{0,24}}{_THING_JA}を(?:作成|書|生成)[^。\n]{{0,12}}(?:ます"
    "|みます|ましょう)"),
    (r"(?:当然|好的|没问题|可以|明白了|收到)[，！!,。]?\s*(?:以下|下面|这是|根据|我(?:将|会|来"
    "|写|为|已))"),
    rf"(?:以下|下面|这)是[^。：:\n]{{0,40}}{_THING_ZH}[^。：:\n]{{0,12}}[：:]",
    rf"根据您?的?(?:要求|指示|描述)[，,][^\n]{{0,40}}(?:{_THING_ZH})",
    (r"(?:sicher|natürlich|gerne|klar|selbstverständlich)\W{1,3}(?:hier (?:ist|sind)|ich)"
    "|hier (?:ist|sind) (?:ein|eine|der|die|das|ihr)"
    r"\b[^.:\n]{0,60}:"),
    (r"(?:bien sûr|d['’]accord|certainement|avec plaisir)\W{1,3}(?:voici|je)|voici (?:un|une|le"
    r"|la|votre)\b[^.:\n]{0,60}:"),
    (r"(?:claro|por supuesto|con gusto|desde luego)\W{1,3}(?:aquí|a continuación)"
    r"|(?:aquí (?:está|tienes|tiene)|a continuación)\b[^.:\n]{0,60}:"),
    r"(?:claro|com certeza|certamente)\W{1,3}(?:aqui|segue)|(?:aqui está|segue)\b[^.:\n]{0,60}:",
    (r"(?:certo|certamente|naturalmente)\W{1,3}(?:ecco|di seguito)|ecco (?:un|una|il"
    r"|la)\b[^.:\n]{0,60}:"),
    (r"(?:конечно|хорошо|разумеется)\W{1,3}(?:вот|ниже)|вот (?:пример|текст|запрос|документ"
    r"|перевод)[^.\n]{0,40}:"),
    (r"(?:물론(?:입니다|이죠)?|네|알겠습니다)\W{1,3}(?:다음|아래|여기)|(?:다음|아래)(?:은"
    r"|는)[^.\n]{0,40}(?:입니다)[.:]"),
    r"(?:بالتأكيد|بالطبع|حسن[اً]+)\W{1,3}(?:إليك|هذا|هذه|فيما)|إليك [^.\n]{0,40}:",
    (r"(?:ได้เลย|แน่นอน)(?:ครับ|ค่ะ)?\W{0,3}(?:นี่คือ|ต่อไปนี้)|(?:นี่คือ|ต่อไปนี้คือ)(?:ข้อความ"
    "|เอกสาร|คำค้น|คำตอบ|ตัวอย่าง|คำแปล)"),
)  # fmt: skip

# A caption before the text; what may be a heading of a real one ("Summary:") is left out.
CAPTIONS = (
    "(?:(?:generated |user |search |your |the |sample |example |possible |final "
    "|model )?(?:quer(?:y|ies)|document|passage|answer|output"
    "|response|translation|rewrite|text)|(?:hard |easy )?(?:negative|positive)(?: (?:document"
    "|passage|example|text))?|input(?: text)?"
    "|(?:misleading )?label|assistant|chatbot|model|ai|bot|user|human|system|question|q|a"
    "|s[123]|sentence [123]|text [ab123]|json|reply"
    "|(?:ユーザー?|検索|生成された|ユーザーの)?クエリ|(?:ポジティブ|ネガティブ|正解"
    "|関連)?(?:文書|ドキュメント|パッセージ)|ハードネガティブ"
    "|正例|負例|入力(?:文|テキスト)?|出力|応答|回答|答え|質問|翻訳|訳文|訳|アシスタント"
    "|ユーザー|システム|ラベル|テキスト|文章|例文"
    r"|(?:用户)?查询|文档|回答|答案|问题|翻译|输出|输入|助手|用户|标签|段落"
    "|anfrage|dokument|antwort|frage|übersetzung|requête|réponse|question|traduction|consulta"
    "|documento|respuesta|pregunta|traducción"
    "|запрос|документ|ответ|вопрос|перевод|질문|답변|문서|쿼리|번역|السؤال|الجواب|الإجابة"
    "|คำถาม|คำตอบ)"
)

# At the end: a remark.
CLOSINGS: tuple[str, ...] = (
    (r"[(\[]\s*(?:word count\W{0,3})?(?:about |approximately |approx\.? |~ ?)?\d+"
    r" (?:words|characters|tokens)\s*[)\]]|\bword count:? *\d+"
    r"|[（(]\s*(?:約|およそ)?\s*\d+\s*(?:文字|字|語|単語)\s*[)）]|[（(]\s*(?:共"
    r"|约)?\d+\s*字\s*[)）]"),
    (r"(?:^|[.!?\n]\s*)\W{0,3}(?:note|explanation|reasoning|rationale|disclaimer|comment|remark"
    r"|n\.b\.)s?\W{0,3}: ?\S[^\n]{0,260}$"),
    (r"\bi hope (?:this|that|it|these)\b[^.!\n]{0,40}(?:help|useful|looking for|meets|needs"
    r"|clarif|answer|works|suit)|\bhope this helps\b"),
    (r"[.!?。\n]\W{0,4}(?:please )?let me know (?:if|whether|how|what)\b[^.!\n]{0,80}(?:chang"
    "|version|adjust|revis|edit|another|anything else|further|more"
    r"|question|help|different|modif)"),
    ("(?:feel free to|do not hesitate to|don['’]t hesitate to) (?:ask|let me know|reach out"
    "|request|modify|adjust)"),
    (r"(?:would you like|do you want) (?:me to|another|more|to (?:see|try))\b[^.\n]{0,60}\?"
    "|is there anything else (?:i can|you)"),
    ("please (?:note|be aware) that (?:this|the (?:above|text|passage|document)"
    r"|these)\b[^\n]{0,160}(?:fiction|example|generat|not real"
    r"|hypothetical|imagin|illustrat|purpose)"),
    (r"\bthis (?:is a )?(?:fictional|fictitious|hypothetical|made-up|imaginary) (?:example|text"
    "|passage|document|scenario)"),
    ("(?:this|the|the above|above) (?:passage|document|text|query|response|translation|example"
    "|answer|negative) (?:is|was|has been|directly|clearly"
    "|would|should|provides|meets|answers|avoids|covers|satisfies|matches|addresses"
    r"|does)\b[^\n]{0,120}(?:\bquery\b|\brelevant\b"
    r"|requirements?|instructions?|the user\b|the search\b|\bquestion\b|constraints)"),
    (r"\[\s*end(?: of (?:the )?(?:document|passage|text|response|answer|output|example))?\s*\]"
    r"|\b(?:end of (?:document|passage|response|output))\W*$"),
    (r"[（(※]\s*(?:注|この|上記|本|なお)[^\n]{0,60}(?:文章|文書|内容|クエリ|回答|例|テキスト"
    r"|話)[^\n]{0,60}|※[^\n]{0,30}(?:架空|フィクション|例です|生成)"),
    r"(?:^|[。\n]\s*)(?:注|注意|注釈|解説|説明|補足|備考|コメント)\s*[:：][^\n]{0,200}$",
    ("(?:お役に立(?:てれば|てば|ちましたら|てたら)|(?:ご)?参考に(?:なれば|していただければ"
    r"|なりましたら))[^\n]{0,40}"),
    (r"(?:ご質問|質問|ご不明|不明な点|修正|変更|ご要望|必要なこと|他に)[^。\n]{0,30}(?:お気軽に"
    "|お知らせください|お申し付け|ご連絡ください|どうぞ)"),
    (r"(?:以上(?:です|となります|、ご確認)|ご確認ください)[^\n]{0,30}$|(?:別の|もう一つ"
    r"|他の)(?:例|クエリ|文章|文書)[^。\n]{0,20}(?:ください|しますか|でしょうか|書きます)"),
    (r"希望(?:这|对您|对你|以上|能)[^\n]{0,24}(?:帮助|有用|满意)|如(?:果|有)[^。\n]{0,20}(?:修改"
    r"|问题|需要)[^。\n]{0,12}(?:告诉我|告知|联系|随时)"
    r"|(?:^|[。\n])(?:注|说明|备注|解释)\s*[:：][^\n]{0,160}$"),
    (r"ich hoffe,? (?:das|dies|der text|ich)[^.!\n]{0,30}(?:hilf|hilfreich|weiter|geholfen)"
    "|(?:lassen sie|lass) (?:es )?mich wissen|(?:sagen sie|gib"
    "|geben sie) mir (?:bitte )?bescheid"
    r"|(?:^|\n)\W*(?:hinweis|anmerkung|erklärung)\s*:[^\n]{0,200}$"),
    (r"j['’]espère que (?:cela|ça|ce texte)|n['’]hésitez pas à|(?:^|\n)\W*(?:remarque|note"
    r"|explication)\s*:[^\n]{0,200}$"),
    (r"espero que (?:esto|esta|este|te|le|isso|isto)[^.!\n]{0,30}(?:ayud|útil|sirva|ajud)"
    r"|no dudes en|no dude en|avísame si|(?:^|\n)\W*(?:nota|explicación)\s*:[^\n]{0,200}$"),
    (r"spero che (?:questo|ti|vi|sia)[^.!\n]{0,30}(?:util|aiut)|fammi sapere se|надеюсь,? (?:это"
    r"|что)[^.!\n]{0,30}(?:поможет|полез)|дайте (?:мне )?знать"
    r"|도움이 되(?:었|셨|길|기를)|آمل أن (?:يكون|تكون)[^.\n]{0,20}(?:مفيد|ساعد)"
    r"|หวังว่า[^\n]{0,30}(?:เป็นประโยชน์|ช่วย)"),
)  # fmt: skip

# The text judges itself: a negative that says that it is none.
CONFESSIONS: tuple[str, ...] = (
    ("(?:this|the|that) (?:passage|document|text|article|answer|paragraph|content"
    "|information)(?: above)? (?:does not|doesn['’]t|fails? to|is not|isn['’]t"
    "|seems?|is only|is (?:not )?(?:directly|closely|loosely|superficially)|appears?|may seem"
    r"|might seem|do not|would not|cannot)\b[^.\n]{0,60}"
    r"(?:\b(?:the|a|your|this|original|given) (?:\w+ )?(?:query|question|search(?: intent)?"
    r"|user)\b|\brelevant\b|the user|searcher"
    r"|looking for|what (?:is|was) asked|\bneeds?\b)"),
    r"\b(?:is|it['’]s|serves as) an? (?:hard|easy)[- ]negative\b",
    ("(?:related|relevant|similar|connected) to the (?:topic|subject|query"
    r"|search)[^.\n]{0,30}\b(?:but|yet|although|not)\b[^.\n]{0,40}"
    r"(?:answer|relevant|address|help|query)"),
    ("(?:fails? to|does not|doesn['’]t|without) (?:actually |directly |really "
    "|fully )?(?:answer(?:ing)?|address(?:ing)?) (?:the|your|this) (?:actual |original "
    "|specific"
    r" |user['’]?s? )?(?:quer\w+|question|search)"),
    ("(?:この|本|その|当該)(?:文書|文章|パッセージ|テキスト|記事|内容"
    r"|ドキュメント)[^。\n]{0,40}(?:クエリ|質問|検索意図|検索|ユーザー|求めて|問い|知りたい)"
    r"[^。\n]{0,30}(?:ません|ない|ではな)"),
    (r"(?:クエリ|検索意図|質問|ユーザーの(?:求め|意図|ニーズ))[^。\n]{0,20}(?:とは?(?:一致|関係"
    r"|無関係|関連)|に(?:は)?(?:答え|応え)て(?:い)?(?:ま|な))[^。\n]{0,12}(?:ません|ない|です)"),
    r"ハードネガティブ|(?:これは|ここは|本文は)(?:負例|ネガティブ|誤答|不正解)",
    (r"(?:这|本|该)(?:段|篇|个|份)?(?:文本|文档|文章|段落|内容)[^。\n]{0,20}(?:没有|并未|并不"
    r"|不能|无法|未)[^。\n]{0,12}(?:回答|查询|问题|相关|用户)"),
    r"dieser (?:text|abschnitt)[^.\n]{0,30}(?:beantwortet|enthält)[^.\n]{0,40}nicht",
)  # fmt: skip

# Marks of chat formats, of reasoning and of code fences.
MARKS = (
    r"<\|[\w ]{2,30}\|>|<[|｜][^<>\n]{2,30}[|｜]>|</?s>|\[/?inst\]|<</?sys>>|</?(?:start"
    "|end)_of_(?:turn|text)>|</?(?:think|thinking|reasoning|tool_call"
    r"|answer|output|response|scratchpad)>|^\s*#{2,4} ?(?:response|instruction|output|input"
    r"|answer|assistant|user|human|system|応答|出力|回答|指示|入力)\b"
    r"|(?:^|\n)\s*(?:human|user|assistant|ユーザー|アシスタント|用户|助手|人間)\s*[:：]"
)
