"""Common given names in the forms of several languages, to see whether a translation keeps them."""

from __future__ import annotations

import re
from functools import cache

# One person a line: the forms that translate each other.
_FORMS = """
tom thomas tommy トム トーマス 汤姆 湯姆 托马斯 том томас توم
mary maria marie marys メアリー メアリ マリア マリー 玛丽 瑪麗 玛丽亚 мэри мария ماري
john johannes johann jean juan giovanni ジョン 约翰 約翰 джон جون
jack ジャック 杰克 傑克 джек
jim james jimmy ジム ジェームズ ジェイムズ 吉姆 詹姆斯 джим джеймс
ken kenneth ケン 肯
bob robert bobby ボブ ロバート 鲍勃 鮑勃 罗伯特 боб роберт
bill william will billy wilhelm ビル ウィリアム ウィル 比尔 比爾 威廉 билл уильям
mike michael マイク マイケル 迈克 麥克 迈克尔 майк майкл
jane ジェーン 简 珍 джейн
alice アリス 爱丽丝 愛麗絲 алиса элис
peter pete pierre pedro ピーター 彼得 питер петр
paul pablo ポール 保罗 保羅 пол
anna ann anne annie hannah アン アンナ アンネ 安娜 安 анна энн
emily emma エミリー エマ 艾米莉 艾玛 эмили эмма
linda リンダ 琳达 линда
nancy ナンシー 南希 нэнси
lucy ルーシー 露西 люси
betty ベティ 贝蒂 бетти
kate katie catherine katherine kathy cathy ケイト キャシー キャサリン 凯特 凱特 凯瑟琳 кейт
sam samuel サム 萨姆 сэм
david dave デイビッド デビッド デイヴィッド 大卫 大衛 дэвид
dick richard rick ディック リチャード 理查德 迪克 ричард
fred frederick friedrich フレッド 弗雷德 фред
george georg ジョージ 乔治 喬治 джордж
henry heinrich harry ヘンリー ハリー 亨利 哈利 генри гарри
susan sue susie スーザン 苏珊 蘇珊 сьюзан
sarah sara サラ 萨拉 莎拉 сара
helen helena ヘレン 海伦 хелен елена
judy ジュディ 朱迪
laura ローラ 劳拉 лаура
lisa リサ 丽莎 лиза
karl carl charles charlie カール チャールズ チャーリー 查尔斯 查理 卡尔 чарльз карл
daniel dan danny ダニエル ダン 丹尼尔 даниэль
andrew andy andreas アンドリュー アンディ 安德鲁 安迪 андрей эндрю
mark marc marcus マーク 马克 марк
steve steven stephen stefan スティーブ スティーブン 史蒂夫 стив
sophia sophie sofia ソフィア ソフィー 索菲亚 苏菲 софия
rachel レイチェル 瑞秋 рэйчел рахиль
victor viktor ビクター ヴィクター 维克多 виктор
ben benjamin ベン ベンジャミン 本 бен
brian ブライアン 布莱恩 брайан
chris christopher christine christina クリス 克里斯 крис
eric erik エリック 埃里克 эрик
frank フランク 弗兰克 франк фрэнк
kevin ケビン 凯文 кевин
nick nicholas nicolas niklas ニック 尼克 ник николай
ryan ライアン 瑞恩
tony anthony antonio トニー アンソニー 托尼 тони
yoko ヨーコ 洋子
taro 太郎
hanako 花子
ichiro 一郎 イチロー
akira 明 アキラ
julia julie ジュリア ジュリー 茱莉亚 юлия
elizabeth lizzie エリザベス 伊丽莎白 елизавета
martin マーティン 马丁 мартин
jessica ジェシカ 杰西卡
meg margaret マーガレット メグ 玛格丽特
""".strip()
_ASCII = re.compile(r"\b[A-Z][a-z]{1,}\b")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]{2,}")
_OTHER = re.compile(r"\b[^\W\d_a-zA-Z]{3,}\b")
_MIN_UNSPACED = 2


@cache
def _tables() -> tuple[dict[str, int], tuple[tuple[str, int], ...]]:
    words: dict[str, int] = {}
    phrases: list[tuple[str, int]] = []
    for person, line in enumerate(_FORMS.splitlines()):
        for form in line.split():
            if "\u4e00" <= form[0] <= "\u9fff":
                phrases += [(form, person)] if len(form) >= _MIN_UNSPACED else []
            else:
                words[form] = person
    return words, tuple(phrases)


def names_in(text: str) -> frozenset[str]:
    """The people whose given names stand in the text, each as a number in text form."""
    words, phrases = _tables()
    found = {words.get(word.lower()) for word in _ASCII.findall(text)}
    if not text.isascii():
        found |= {words.get(word) for word in _KATAKANA.findall(text)}
        found |= {words.get(word) for word in _OTHER.findall(text.lower())}
        found |= {person for form, person in phrases if form in text}
    return frozenset(_FORMS.splitlines()[n].split()[0] for n in found if n is not None)
