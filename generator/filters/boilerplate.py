"""A web page's furniture: positive_boilerplate, negative_boilerplate, query_boilerplate.

Calls to subscribe, cookie notices, rights, rows of links: models that have read the web write them
around a text. They stand at its beginning or its end; in its middle they may be its subject, and
so may they anywhere if the query asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, lowered, prose_sides, quote
from generator.filters.signs import Signs
from generator.records import Record

_PHRASES: dict[str, tuple[str, ...]] = {
    "en": (
        r"all rights reserved",
        r"(?:©|\(c\)|copyright) ?(?:©|\(c\))? ?(?:19|20)\d\d",
        (r"(?:subscribe|sign up) (?:to|for) (?:our|the|my|this) (?:\w+ )?"
        r"(?:newsletter|channel|mailing list|blog|updates|podcast)"),
        r"(?:we|this (?:web)?site|our (?:web)?site) uses? (?:of )?cookies|our use of cookies",
        r"accept (?:all )?cookies|cookie (?:policy|settings|preferences)",
        ("click (?:here|the link|below|on the link) (?:to|for)|read (?:more|the full (?:article"
        "|story))"
        r"(?: \W*$|[:»>]| on | at | about )|continue reading|tap here to"),
        (r"(?:share|tweet|pin|like) (?:this|it|us|on)(?: \w+)?(?: on)?[: ]+(?:facebook|twitter|x"
        "|whatsapp"
        r"|pinterest|linkedin|email)"),
        r"(?:follow|find|like) us on (?:facebook|twitter|instagram|linkedin|social media)",
        r"(?:log|sign) in (?:or|to) (?:create|register|sign up|leave|comment|continue|view|post)",
        (r"(?:leave|post|add|write) a (?:comment|reply)(?: below|\W*$)"
        "|your email address will not be"),
        r"(?:enable|disabled?|turn on|activate)\W{0,2} javascript|javascript (?:is|must be|seems)",
        (r"(?:terms (?:of (?:service|use)|(?:and|&) conditions)|privacy (?:policy|notice)|sitemap"
        r"|site map|cookie policy|contact us|about us|(?<![/$~\w])home)\s*[|·•»>/]"),
        (r"[|·•»>/]\s*(?:terms (?:of (?:service|use)|(?:and|&) conditions)"
        r"|privacy (?:policy|notice)|sitemap|site map|contact us|about us)"),
        r"skip to (?:main )?(?:content|navigation)|back to top",
        r"^advertisement\b|advertisement\W*(?:$|continue|scroll)|story continues below",
        (r"(?:you (?:may|might) also (?:like|be interested)|(?:related|recommended|popular) "
        r"(?:articles?|posts?|stories|reading))\s*(?::|$|\n)|you (?:may|might) also like\b"),
        ("(?:this (?:article|post|story|content) )?(?:was )?(?:originally|first) (?:published"
        "|appeared) "
        r"(?:on|in|at) (?:our|the|my|this|www)"),
        (r"reproduction (?:in whole or in part )?without (?:\w+ )?permission"
        r"|no part of this \w+ may be"),
        r"powered by (?:wordpress|blogger|shopify)|page \d+ of \d+\W*$|print this page",
        ("don['’]t (?:miss out|forget to (?:subscribe|like|share))|join our (?:mailing list"
        "|newsletter)"),
        ("(?:buy|order|shop|book|download|register|call|sign up|get started) (?:it )?(?:now"
        r"|today)\s*[!»>]"),
    ),
    "ja": (
        r"(?:無断|禁)(?:で)?(?:の)?(?:転載|複製|転用|引用)[^。\n]{0,12}禁|転載(?:を)?禁",
        r"(?:メールマガジン|メルマガ|ニュースレター|チャンネル)[^。\n]{0,8}(?:登録|購読)",
        r"(?:クッキー|cookie)[^。\n]{0,12}(?:使用|利用|同意|許可)",
        r"(?:この|本)?(?:記事|ページ|投稿)を(?:シェア|ツイート|共有|印刷|ブックマーク)",
        r"続きを(?:読む|見る)|もっと(?:見る|読む)\s*(?:[＞>»]|$)|全文を読む|こちらをクリック",
        (r"(?:ログイン|会員登録|新規登録)\s*(?:はこちら|[|｜／/・])"
        r"|[|｜／/]\s*(?:新規)?(?:会員登録|ログイン)"),
        r"javascript[^。\n]{0,10}(?:有効|無効|オン)",
        ("(?:プライバシーポリシー|利用規約|サイトマップ|お問い合わせ|会社概要"
        r"|個人情報保護方針)\s*[|｜＞>／/・]"),
        r"[|｜＞>／/]\s*(?:プライバシーポリシー|利用規約|サイトマップ|お問い合わせ|会社概要)",
        ("^(?:関連記事|おすすめ記事|人気記事|こちらもおすすめ)|(?:関連記事|関連リンク"
        r"|おすすめ記事)\s*(?:[:：]|$|\n)|あわせて読みたい"),
        (r"^(?:広告|スポンサーリンク)(?=\s|[:：]|$)|(?:(?:^|\s)広告|スポンサー(?:ド)?リンク|【pr】)\s*$"
        "|広告の後に"),
        r"いいね(?:！|!)|フォロー(?:してください|する|はこちら)|チャンネル登録",
        r"(?:ページの?)?(?:トップ|先頭|上)(?:へ|に)戻る|本文へ(?:スキップ|移動)|メニューを開く",
        r"コメントを(?:残す|書く|投稿する)|メールアドレスが公開されること",
        r"(?:©|ⓒ|copyright)[ ©ⓒ]*(?:19|20)\d\d",
        r"(?:お申し込み|ご購入|ご注文|ご予約|詳細|詳しく)は(?:こちら|今すぐ)",
    ),
    "zh": (
        (r"版权所有|未经(?:许可|授权)[^。\n]{0,8}(?:转载|复制)|转载请注明|点击(?:这里|此处|阅读"
        "|查看)|阅读(?:更多|全文|原文)"),
        (r"(?:扫码|长按)[^。\n]{0,8}关注|关注(?:我们的)?(?:公众号|微信)|分享到|(?:隐私政策"
        r"|使用条款|网站地图|联系我们)\s*[|｜>]"),
        r"上一篇|下一篇|返回顶部|相关(?:文章|阅读)\s*[:：]",
    ),
    "de": (
        ("alle rechte vorbehalten|(?:datenschutz(?:erklärung)?|impressum|agb"
        r"|nutzungsbedingungen)\s*[|·•]"),
        ("newsletter (?:abonnieren|anmelden)|(?:diese"
        "|unsere) (?:web)?s(?:e)?ite verwendet cookies|hier klicken"),
    ),
    "fr": (
        ("tous droits réservés|(?:mentions légales|politique de confidentialité"
        r"|plan du site)\s*[|·•]"),
        ("(?:abonnez|inscrivez)-vous à (?:notre|la) newsletter|ce site utilise des cookies"
        "|cliquez ici"),
    ),
    "es": (
        ("todos los derechos reservados|(?:aviso legal|política de privacidad"
        r"|mapa del sitio)\s*[|·•]"),
        r"suscr[ií]bete a nuestro|este sitio (?:web )?utiliza cookies|haz clic aquí",
    ),
    "ar": (r"جميع الحقوق محفوظة|سياسة الخصوصية\s*[|·•]|اشترك في (?:نشرتنا|النشرة)|اضغط هنا",),
    "th": (r"สงวนลิขสิทธิ์|นโยบายความเป็นส่วนตัว\s*[|·•]|คลิกที่นี่|สมัครรับจดหมายข่าว",),
}  # fmt: skip
_FURNITURE = re.compile(
    "|".join(form for forms in _PHRASES.values() for form in forms), re.MULTILINE
)
# Three links or more in a row: "Home | News | Sport", "トップ ＞ 記事 ＞ 旅行".
_LINKS = re.compile(
    r"(?:^|\n)\s*[\w&'’ー・ ]{2,24}(?:\s*(?:\||｜|»|›|＞|>|·"
    r"|•)\s*[\w&'’ー・ ]{2,24}){2,}\s*(?=$|\n|\.)"
    r"|(?:\b[\w&'’]{2,16}(?: [\w&'’]{2,16})? (?:[|»›·•]|>) ){2,}[\w&'’]{2,16}"
)
_SIGNS = Signs(
    """
    rights © (c) copyright subscribe sign_up newsletter mailing cookie click read reading tap_here
    share_ tweet_ pin_ like_ us_on log_in sign_in comment e-mail email javascript terms
    privacy sitemap site_map contact_us about_us home skip_to back_to advertis continues you_may
    you_might related recommended popular published appeared reproduction no_part powered page_
    print_this don't_ don’t_ join_our now! today! now_» today_» | · • » › > 転載 複製 転用 引用
    メール メルマガ ニュース チャンネル クッキー シェア ツイート 共有 印刷 ブックマーク 続きを
    もっと 全文を こちら ログイン 登録 プライバシー 利用規約 サイトマップ お問い合わせ 会社概要
    個人情報 関連 おすすめ 人気記事 あわせて 広告 スポンサー 【pr】 いいね フォロー トップ 先頭
    ページ 本文へ メニュー コメント メールアドレス ⓒ お申し込み ご購入 ご注文 ご予約 詳細 詳しく
    ｜ ＞ 版权 未经 转载 点击 阅读 扫码 长按 关注 分享 隐私 条款 网站地图 联系我们 上一篇 下一篇
    返回 相关 alle_rechte datenschutz impressum agb nutzungs verwendet_cookies hier_klicken droits
    mentions politique plan_du abonnez inscrivez cliquez derechos aviso política mapa suscr
    haz_clic حقوق سياسة اشترك اضغط สงวน นโยบาย คลิก สมัคร
    """
)
_EDGE = 160
_LINK_SIGNS = Signs("| ｜ » › ＞ > · •")
_CUT = "\x01"  # so that nothing begins or ends where the text was cut; ASCII, as most texts are


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that begins or ends in what surrounds texts on the web."""
    asked = ""
    for side, text, _ in prose_sides(record):
        if side == "query":
            asked = lowered(text)
            continue
        line = lowered(text)
        for edge in _edges(line):
            found = _furniture(line, edge) if _SIGNS.are_in(line, edge) else None
            if found and not _FURNITURE.search(asked):
                return Reject(f"{side}_boilerplate", f"the {side} has {quote(found.group())}")
    return None


def _furniture(line: str, edge: str) -> re.Match[str] | None:
    has_links = _LINK_SIGNS.are_in(line, edge)
    return _FURNITURE.search(edge) or (_LINKS.search(edge) if has_links else None)


def _edges(text: str) -> tuple[str, ...]:
    text = text.strip()
    if len(text) <= 2 * _EDGE:
        return (text,)
    return text[:_EDGE] + _CUT, _CUT + text[-_EDGE:]
