"""Rules that recognise what surrounds the paragraphs of an article: bylines, date lines, captions, share links, lists.

Each rule must match a whole piece, so that no sentence that only begins like furniture is lost, and looks at nothing but
the piece: coders, training and service skip the same pieces. In doubt a piece counts as a paragraph.
"""

import re
from typing import Literal

from labels.reading.headings import ends_with_stop
from labels.reading.lines import ADDRESS_LINE, PRINTED_LINE, has_more_words
from labels.reading.prompts import REPORTING_VERB, is_prompt

SkipReason = Literal[
    "heading", "byline", "dateline", "caption", "boilerplate", "related", "outside_article", "metadata"
]

_MAX_WORDS, _MAX_CHARACTERS = 40, 600
_MAX_LINK_WORDS = 25
_MAX_LIST_WORDS = 15

# Requires a capital even where the rest of a rule ignores case: "By killing monks they ..." is a sentence.
_PROPER = r"(?-i:[A-ZÀ-ÖØ-Þ][\w.'’&-]*)"
_NAMES = rf"(?:(?:{_PROPER}|(?:and|of|the|in|for|at|on|de|la|van|von|al)\b|[&|/,–—-])[\s,]*)"
_AGENCY = r"(?:AFP|AP|Reuters|REUTERS|EPA|ANI|PTI|IANS|Xinhua|Getty(?: Images)?|Anadolu|DPA|Shutterstock|NurPhoto|White Star|Online|File(?: [Pp]hoto)?)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_DATE = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH},?\s+\d{{4}}|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{2,4}})"
_TIME = r"(?:\d{1,2}[:.]\d{2}\s*(?:[ap]\.?m\.?)?(?:\s+[A-Z]{2,4})?)"
_DATE_WORDS = (
    rf"(?:(?:{_MONTH}|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|tue|wed|thu|fri|sat|sun)\.?|\d[\d:./-]*(?:st|nd|rd|th)?"
    r"|[ap]\.?m\.?|(?-i:[A-Z]{2,4})|at|on|in|the|last|just now|today|yesterday|an?|min(?:ute)?s?|hours?|hrs?|days?|weeks?|ago|updated|published)(?:[\s,|–—:.()·•-]+|$))"
)
_PLATFORM = r"(?:x|twitter|facebook|instagram|google(?: news)?|whatsapp|telegram|youtube|tiktok|linkedin|threads|bluesky|mastodon|reddit|social media)"

# "(Reporting by Ilara Venn in Port Sel; Writing by Tom Dol; Editing by Omar Sard)"
_SIGNED = rf"{_PROPER}(?:[\s,]+(?:(?:(?:al|el|de|van|von|bin|ibn)[ -])?{_PROPER}|and|in|of|the|at|for))*"
_SIGN_OFF = (
    r"(?:(?:additional |further )?(?:reporting|writing|editing|compiled|edited|written)(?: and (?:writing|editing))? by\s+"
    rf"{_SIGNED})"
)
_BYLINE = re.compile(
    rf"\(?{_SIGN_OFF}(?:[;.,]\s*{_SIGN_OFF})*[.)]*|"
    rf"(?:by|words by|written by|reported by|reporting by|edited by|story by|compiled by|analysis by|opinion by)\s+"
    rf"{_PROPER}(?:[\s,&|]+(?:(?:and|in|with|for|the|of)\s+){{0,2}}{_PROPER}){{0,11}}\.?"
    r"|(?:our|a)?\s*(?:staff|special|senior|diplomatic|defence|national|news)\s+"
    rf"(?:reporter|correspondent|writer|desk|report|bureau)s?(?:[\s,|–—-]+{_NAMES}{{1,6}})?"
    r"|our\s+(?:own\s+)?(?:correspondents?|reporters?|staff)|(?:news|web|city|foreign|national)\s*desk"
    # The signature of a post: "— Ilara Venn (@ilara) March 14, 2026".
    rf"|[–—-]{{1,2}}\s?{_PROPER}(?:\s+{_PROPER}){{0,4}}(?:\s+\(@\w+\))?(?:[\s,]+{_DATE})?"
    r"|(?:(?:e-?mail|twitter|x)\s*:\s*)?(?:@\w{2,30}|[\w.+-]+@[\w-]+\.[\w.]+)",
    re.IGNORECASE,
)
_ROLE = (
    r"(?:ambassador|diplomat|professor|lecturer|journalist|analyst|researcher|director|editor|columnist|fellow|lawyer|advocate|"
    r"economist|historian|academic|student|teacher|scholar|consultant|novelist|author|writer|commentator|bureaucrat|civil servant|"
    r"correspondent|reporter|contributor|scientist|poet|head|dean|chair(?:man|woman)?|member|founder|freelance\w*|inspector|officer|general|minister|adviser|secretary)"
)
_BIOGRAPHY = re.compile(
    rf"(?:the|this)\s+(?:writer|author|columnist|contributor)s?\s+(?:(?:is|are)\s+[^.]{{0,60}}\b{_ROLE}s?\b.*|(?:can be (?:reached|contacted|mailed|emailed)|tweets?|teach(?:es)?|may be reached|(?:has )?served as|has taught|works (?:at|for|as)|covers|speciali[sz]es|writes (?:on|for|about)|holds|lives in)\b.{{0,300}})"
    r"|(?:the\s+)?(?:views|opinions)(?: and opinions)? (?:expressed|in this (?:article|piece|column))\b(?:(?: here| herein| in this \w+| by the \w+| above)* (?:are|do not|is)\b.*|\.?)|views are (?:personal|his own|her own|their own)\.?",
    re.IGNORECASE | re.DOTALL,
)
# Biographies by name are bylines only below the last paragraph: a source may be introduced in the same words.
_BIOGRAPHY_BY_NAME = re.compile(
    rf"(?:{_PROPER}\s+){{1,4}}(?i:is)\s+(?:an?|the)\s+[^.]{{0,80}}\b(?:columnist|freelance|contributing|opinion writer|correspondent for|fellow (?:at|with)|professor (?:of|at)|lecturer|editor (?:of|at)|journalist based)\b.*",
    re.DOTALL,
)
# What happens to the persons of the news, and not to authors of columns.
_EVENT = re.compile(
    r"\b(?:killed|shot|arrested|detained|held|jailed|dead|died|murdered|wounded|abducted|kidnapped|missing|tortured|executed|attacked|"
    rf"accused|charged|fled|exile|beaten|imprisoned|prison|whom|victims?)\b|{REPORTING_VERB}",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    rf"(?:published|updated|last updated|first published|posted|modified)(?:\s+(?:on|at|in))?[\s:]*{_DATE_WORDS}{{1,16}}"
    rf"|(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?{_DATE}(?:[\s,|–—-]*(?:at\s+)?{_TIME})?\.?"
    rf"|{_TIME}(?:[\s,|–—-]*{_DATE})?\.?"
    r"|\d+\s+(?:min(?:ute)?s?|hours?|days?|weeks?)(?:\s+(?:ago|read))\.?|\d+\s*min(?:ute)?s?\.?\s+read\.?",
    re.IGNORECASE,
)
_PICTURE = r"(?:photo(?:graph)?|image|picture|illustration|graphic|photo illustration)"
_CAPTION = re.compile(
    rf"\(?this\s+{_PICTURE}s?\s+(?:is|are|was|were)\s+(?:taken from|(?:used |only )*for (?:representation|illustrat|reference)|provided by|courtesy|sourced from|representative|representational|released by|via)[^.!?;]{{0,80}}[.)]*"
    rf"|the\s+{_PICTURE}s?\s+(?:is|are)\s+(?:used )?(?:for (?:representation|illustration|reference)|representational|representative|courtesy)\b[^.!?;]{{0,60}}[.)]*"
    rf"|\(?in\s+this\s+(?:\w+\s+){{0,3}}(?:photo(?:graph)?|handout|frame grab|screengrab)(?: (?:taken|provided|released|made|obtained|dated|supplied|posted|from|by)\b[^.!?]{{0,120}}?)?,\s.*"
    rf"|\(?in\s+this\s+(?:\w+\s+){{0,3}}(?:image|picture)\s+(?:taken|provided|released|made|obtained|dated|supplied|posted)\b.*,\s.*"
    rf"|\(?(?:file|stock)\s+{_PICTURE}s?\s*[:|–—-]\s.*"
    rf"|{_PICTURE}s?\s+(?:credit|courtesy|source|by|via)s?(?:\s+of)?(?:\s*[:|–—-]\s*|\s+){_NAMES}{{1,10}}\.?"
    rf"|(?:{_PICTURE}|credit|caption)s?(?:\s+(?:credit|courtesy|source))?\s*[:|]\s*[^.!?…]*"
    rf"|(?:video|map|source)s?\s*[:|]\s*{_NAMES}{{1,8}}\.?"
    rf"|(?:file|representational|representative|stock)\s+{_PICTURE}s?(?:\s+(?:of|from|by|for|used)\s[^.!?…]{{1,100}})?"
    rf"|an?\s+(?:{_PICTURE}|file photo|screengrab|screenshot|view)\s+(?:of|from|showing|taken)\b[^.!?…]{{0,160}}"
    r"|!\[[^\]]*\]\([^)\s]*\)",
    re.IGNORECASE | re.DOTALL,
)
_CREDIT_AT_END = re.compile(
    # An agency in brackets after a full sentence signs a report, not a picture.
    rf"(?:[—–|/]|(?<![.!?]\s)[\[(]|-\s|\.\s|\s-)\s*(?:{_PROPER}[\s/]+){{0,5}}(?:{_AGENCY})(?:[/\s,]+{_AGENCY})*[\])]?\.?$"
)
# Verbs of a report. Captions have a verb in the present, or none.
_PAST = re.compile(
    r"\b(?:was|were|had|has|have|will|would|did|could|fought|shot|fled|fell|took|held|left|struck|hit|met|broke|blew|burnt|went|came|saw|"
    r"gave|put|sent|won|lost|set|began|led|became|made|found|brought|kept|drove|threw|spoke|rose|got|(?:kill|fire|launch|attack|accus|"
    rf"blam|clos|open|order|enter|call|start|storm|seiz|captur|destroy|injur|wound|arrest|detain|clash|di)e?d)\b|{REPORTING_VERB}",
    re.IGNORECASE,
)
_SHARE_WORD = (
    rf"(?:share|tweet|whats\s?app|facebook|twitter|e-?mail|print|copy link|copy|save|bookmark|pin it|{_PLATFORM})"
)
_SITE_WORDS = (
    r"(?:(?:terms|conditions|use|service|privacy|policy|notice|cookies?|contact|about|us|advertise|careers|jobs|help|faq|sitemap|imprint|"
    r"accessibility|statement|home|archive|subscribe|newsletters?|and|of|&|[|·•/,-])\s*)"
)
_BOILERPLATE = re.compile(
    rf"{_SHARE_WORD}(?:(?:\s*[|,/·•]\s*|\s+)(?:{_SHARE_WORD}|this|on|via|to|by|with|the|article|story|page|post|link|us|a|friends?|your|and))*\s*[:.!]?"
    rf"|follow (?:us|our \w+(?: \w+){{0,3}}|the (?:author|writer)|@\w+|{_NAMES}{{1,5}})\s*(?:(?:on|at|:)\s*)?(?:(?:{_PLATFORM}|@\w+|and|&|,|/|page|channel)\s*)*(?:for (?:more|the latest)\b.{{0,60}})?[.!:]?"
    r"|(?:subscribe|sign up|sign in|log in|register|join)(?: (?:us|now|today|here|free|in))*[.!]?"
    r"|(?:advertisement|ad|sponsored(?: content)?|promoted|comments?(?:\s*\(\d+\))?|\d+ comments?|leave a (?:comment|reply)|post a comment|"
    r"newsletters?|listen(?: to (?:this|the) (?:article|story)(?: \(?\d.{0,20})?)?|play|loading|menu|search|home|next|previous|back to top|skip to (?:main )?(?:content|navigation|search|footer)|"
    r"continue reading(?: below| the main story)?|read more|show more|load more|view (?:all|more)(?: \w+){0,3}|(?:click|tap) here(?: (?:to|for) .{0,80})?|"
    rf"download (?:the|our) (?:{_PROPER}\s+){{0,4}}app(?: (?:now|today|for|from|on) .{{0,60}})?|get (?:the|our) (?:{_PROPER}\s+){{0,4}}(?:app|newsletter)(?: .{{0,60}})?|"
    r"donate(?: now)?|print edition|e-?paper)[.!:]?"
    r"|(?:tags?|topics?|keywords?|filed under|categories|in this (?:article|story))\s*:[^.!?;…]{0,200}"
    r"|(?:©|\(c\)|copyright\s*(?:©|\(c\)|\d{4}|:)).{0,160}|(?:.{0,80}[.,|©\d]\s*)?all rights reserved(?:[.|©].{0,80})?"
    rf"|(?:terms (?:of (?:use|service|sale)|(?:and|&) conditions)|privacy (?:policy|notice|statement))[\s|·•,]*{_SITE_WORDS}{{0,12}}\.?"
    rf"|published in (?:(?:the|print|edition|of|on)\s+|{_PROPER}[\s,]+){{1,10}}{_DATE}\.?"
    rf"|(?:this (?:article|story|piece|report|column|essay|post) )?(?:was |has been )?(?:originally |first |also |last )+(?:published|appeared|posted|updated) (?:in|on|at|by|under)\b(?:\s+(?:the|print edition|titled|{_NAMES}|{_DATE}|\d{{4}}|[‘'“\"][^’'”\"]{{1,80}}[’'”\"])[\s,:]*){{1,16}}\.?"
    rf"|this (?:article|story|piece|report|column|page) (?:was|has been) (?:(?:originally|first|last|auto-?)[ -]?)?(?:published|updated|syndicated|generated|amended|corrected)"
    rf"(?: (?:in|on|at|by|from|via|to (?:include|reflect|correct|clarify)) (?:an? |the |additional |new |more |further )*(?:syndicated feed|information|details|developments|{_NAMES}{{1,8}}|{_DATE})(?: .{{0,60}})?)?\.?"
    rf"|\(?with (?:additional )?(?:inputs?|reporting|agencies)(?: (?:from|by) (?:(?:agencies|agency|staff|correspondents?)\s*|{_NAMES}){{1,12}})?[.)]*"
    rf"|\(?additional reporting (?:from|by) (?:(?:agencies|staff)\s*|{_NAMES}){{1,12}}[.)]*"
    r"|\(?(?:this story has not been edited|except for the headline)\b.{0,200}"
    r"|have something to say\?.{0,120}|(?:let us know|tell us) (?:what you think|your thoughts|in the|how|why|about)?.{0,60}\bcomments?\b(?: below| section)?[.!]?",
    re.IGNORECASE,
)
_RELATED_LIST = re.compile(
    rf"(?:more (?:columns?|stories|articles|news|opinions?|pieces|coverage)(?: (?:from|by|on|in|about|like) (?:this(?: \w+)?|our \w+|{_NAMES}{{1,6}}))?"
    rf"|more (?:from|by|on|in|like) (?:this(?: \w+)?|our \w+|{_PROPER}\s*{_NAMES}{{0,5}})"
    r"|(?:related|recommended|similar|further)(?: (?:stories|articles|news|content|reading|topics|posts|coverage|columns))?(?: for you)?"
    rf"|(?:read|see|watch|listen) (?:also|next|more)(?:\s*[:|–—-])?|also (?:read|see|watch|in {_NAMES}{{1,5}})"
    r"|(?:most (?:read|popular|viewed|shared)|trending(?: now)?|top stories|latest (?:stories|news|updates|headlines)|editor'?s'? (?:picks?|choice)|"
    r"you (?:may|might) (?:also )?(?:like|be interested in)|in other news|what to read next|don'?t miss|from the archives?|popular (?:now|stories)|"
    rf"other (?:columns?|stories|articles|news)(?: (?:from|by|on|in) {_NAMES}{{1,5}})?|previous(?:ly)? (?:columns?|articles|stories)))\s*[:.]?",
    re.IGNORECASE,
)
_RELATED_LINK = re.compile(
    r"(?P<invites>(?:read(?: also| more| next)|also read|see also|related|don'?t miss)\s*[:|»>–—]\s*\S.*)"
    r"|(?:read|watch|explained|explainer|editorial|opinion|more)\s*[:|»>–—]\s*(?-i:[A-ZÀ-ÖØ-Þ0-9\"'“‘]).*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*•▪►»>–—]|\d{1,2}[.)])\s+")


def reason_to_skip(piece: str) -> SkipReason | None:
    """Returns why a piece is certainly not a paragraph; None if it may be a paragraph.

    Headings, which are less certain, have rules of their own, which look at what follows.
    """
    if len(piece) > _MAX_CHARACTERS or has_more_words(piece, _MAX_WORDS):
        return None
    if _RELATED_LIST.fullmatch(piece):
        return "related"
    if ADDRESS_LINE.fullmatch(piece) or PRINTED_LINE.fullmatch(piece):
        return "boilerplate"
    if _BOILERPLATE.fullmatch(piece) or is_prompt(piece):
        return "boilerplate"
    if _DATELINE.fullmatch(piece):
        return "dateline"
    if _BYLINE.fullmatch(piece) or (_BIOGRAPHY.fullmatch(piece) and not _EVENT.search(piece)):
        return "byline"
    if _is_caption(piece):
        return "caption"
    return "related" if _is_related_link(piece) else None


def is_biography(piece: str) -> bool:
    """Whether a piece introduces the author by name, provided that no paragraph follows."""
    return len(piece) <= _MAX_CHARACTERS and bool(_BIOGRAPHY_BY_NAME.fullmatch(piece) and not _EVENT.search(piece))


def continues_related_list(piece: str) -> bool:
    """Whether a piece after a "more columns" heading still belongs to its list of headlines."""
    headline = _BULLET.sub("", piece, count=1)
    return not has_more_words(headline, _MAX_LIST_WORDS) and (headline.endswith("?") or not ends_with_stop(headline))


def _is_caption(piece: str) -> bool:
    if _CAPTION.fullmatch(piece):
        return True
    return bool(_CREDIT_AT_END.search(piece)) and not _PAST.search(piece)


def _is_related_link(piece: str) -> bool:
    link = None if has_more_words(piece, _MAX_LINK_WORDS) else _RELATED_LINK.fullmatch(piece)
    return link is not None and (link["invites"] is not None or not ends_with_stop(piece))
