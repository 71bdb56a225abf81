"""Rules that recognise what surrounds the paragraphs of an article: headings, bylines, captions, share links.

Each rule looks only at a piece of the article and the pieces before it, so that coders, training and service skip the
same pieces. In doubt a piece counts as a paragraph: scoring a heading does less harm than losing a paragraph.
"""

import re
from typing import Literal

SkipReason = Literal["heading", "byline", "dateline", "caption", "boilerplate", "related", "outside_article"]

_MAX_HEADING_WORDS = 25
_MAX_QUESTION_WORDS = 12
_MAX_BOILERPLATE_WORDS = 40
# Limit for a dateline that ends like a sentence.
_MAX_DATELINE_WORDS = 6

_NAME = r"(?:[^\W\d_][\w.'’-]*)"
# Requires a capital even where the rest of a rule ignores case: "By killing monks they ..." is a sentence.
_PROPER = r"(?-i:[A-ZÀ-ÖØ-Þ][\w.'’-]*)"
_AGENCY = r"(?:AFP|AP|Reuters|EPA|ANI|PTI|IANS|Xinhua|Getty(?: Images)?|Anadolu|DPA|Shutterstock|NurPhoto|White Star|Online|File(?: photo)?)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]*\.?"
_DATE = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH},?\s+\d{{4}}|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{2,4}})"
_TIME = r"(?:\d{1,2}[:.]\d{2}\s*(?:[ap]\.?m\.?)?(?:\s+[A-Z]{2,4})?)"

_BYLINE = re.compile(
    rf"(?:by|words by|written by|reported by|reporting by|edited by|story by|compiled by|analysis by|opinion by)\s+"
    rf"{_PROPER}(?:[\s,&|]+(?:(?:and|in|with|for|the|of)\s+){{0,2}}{_PROPER}){{0,11}}\.?"
    r"|(?:our|a)?\s*(?:staff|special|senior|diplomatic|defence|national|news)\s+"
    r"(?:reporter|correspondent|writer|desk|report|bureau)s?\b[^.!?]{0,40}"
    r"|our\s+(?:own\s+)?(?:correspondents?|reporters?|staff)|(?:news|web|city|foreign|national)\s*desk"
    r"|@\w{2,30}|[\w.+-]+@[\w-]+\.[\w.]+",
    re.IGNORECASE,
)
_BIOGRAPHY = re.compile(
    rf"(?:the|this)\s+(?:writer|author|columnist|contributor)s?\s+(?:is|are|was|has|have|can|teach|work|serve|tweet|cover|specialis|hold|may)"
    rf"|(?:{_PROPER}\s+){{1,4}}(?:is|was)\s+(?:an?|the)\s+[^.]{{0,80}}\b(?:columnist|freelance|contributing|opinion writer|correspondent for|fellow at|professor (?:of|at)|lecturer|editor (?:of|at)|journalist based)\b"
    r"|(?:the\s+)?(?:views|opinions) expressed\b|(?:email|twitter|x|e-mail)\s*:",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    rf"(?:(?:published|updated|last updated|first published|posted|modified)\b(?:\s+(?:on|at|in))?[\s:]*.{{0,60}}(?:\d|ago)\b.{{0,40}}"
    rf"|(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?{_DATE}(?:[\s,|–—-]*(?:at\s+)?{_TIME})?"
    rf"|{_TIME}(?:[\s,|–—-]*{_DATE})?"
    r"|\d+\s+(?:min(?:ute)?s?|hours?|days?|weeks?)(?:\s+(?:ago|read))|\d+\s*min(?:ute)?s?\.?\s+read)\.?",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"\(?(?:(?:this|the)\s+(?:image|photo(?:graph)?|picture|illustration|graphic)s?\s+(?:is|are|was|were)\s+"
    r"(?:taken|used|for|provided|courtesy|sourced|only|representative|released)"
    r"|(?:in\s+)?this\s+(?:\w+\s+){0,3}(?:photo|image|picture|handout|file photo|frame grab|screengrab)(?:graph)?\b"
    r"|(?:file\s+)?(?:photo|image|picture|photograph|illustration|graphic|video|map|caption|credit|source)s?"
    r"(?:\s+(?:credit|courtesy|source|by))?\s*[:|–—-]"
    r"|(?:photo|image|picture|photograph|illustration|video)s?\s+(?:credit|courtesy|by|via|from)\b"
    r"|(?:file|representational|representative|stock)\s+(?:photo|image|picture|photograph)\b"
    r"|an?\s+(?:photo|image|picture|screengrab|screenshot|view|file photo)\s+(?:of|from|showing|shows|taken)\b[^.]{0,160}$)",
    re.IGNORECASE,
)
_CREDIT_AT_END = re.compile(
    # An agency in brackets after a full sentence signs a report, not a picture.
    rf"(?:[—–|/]|(?<![.!?]\s)[\[(]|-\s|\.\s|\s-)\s*(?:{_NAME}\s+){{0,3}}(?:{_AGENCY})(?:[/\s,]+{_AGENCY})*[\])]?\.?$"
)
_BOILERPLATE = re.compile(
    r"(?:share|tweet|whats\s?app|facebook|twitter|email|e-mail|print|copy link|save|bookmark|linkedin|telegram|pin it|reddit|instagram|youtube|x)"
    r"(?:(?:\s*[|,/·•]\s*|\s+)(?:this|on|via|to|by|with|the|article|story|page|post|link|us|a|friend|share|tweet|whats\s?app|facebook|twitter|"
    r"email|e-mail|print|copy|save|bookmark|linkedin|telegram|pin|it|reddit|instagram|youtube|x))*\s*[:.!]?"
    r"|share (?:this|on|via)\b.{0,60}|follow (?:us|our|the author|.{1,40} on (?:x|twitter|facebook|instagram|google|whatsapp))\b.{0,120}"
    r"|(?:subscribe|sign up|sign in|log in|register|join)(?:\s+(?:to|for|now|today|here|free|our|us|in)\b.{0,160})?[.!]?"
    r"|(?:advertisement|ad|sponsored(?: content)?|promoted|comments?(?:\s*\(\d+\))?|\d+ comments?|leave a (?:comment|reply)|post a comment|"
    r"newsletters?|listen(?: to (?:this|the) (?:article|story).{0,30})?|play|loading|menu|search|home|next|previous|back to top|skip to .{1,30}|"
    r"continue reading.{0,40}|read more|show more|load more|view (?:all|more).{0,30}|click here.{0,100}|tap here.{0,100}|"
    r"download (?:the|our) .{0,60}app.{0,60}|get (?:the|our) .{0,60}(?:app|newsletter).{0,60}|support (?:our|independent) journalism.{0,120}|"
    r"donate(?: now)?|print edition|e-?paper)[.!:]?"
    r"|(?:tags?|topics?|keywords?|filed under|categories|in this (?:article|story))\s*:.{0,200}"
    r"|(?:©|\(c\)|copyright\b).{0,160}|.{0,80}all rights reserved\b.{0,80}|terms (?:of|and) .{0,60}|privacy policy.{0,60}"
    r"|(?:we|this (?:site|website)) uses? cookies\b.{0,160}|(?:accept|manage) (?:all )?cookies"
    r"|published in .{1,60}(?:\d{4}|edition)\b.{0,20}"
    r"|(?:originally|first) (?:published|appeared) (?:in|on|at)\b.{1,100}"
    r"|this (?:article|story|piece|report) (?:was|has been|first|originally) .{0,60}(?:published|appeared|updated|syndicated|generated).{0,120}"
    r"|\(?(?:with|additional) (?:inputs?|reporting)\b.{1,100}"
    r"|\(?(?:this story has not been edited|except for the headline)\b.{0,200}"
    r"|have something to say\?.{0,120}|(?:let us know|tell us) .{0,80}comments?\b.{0,60}",
    re.IGNORECASE,
)
_RELATED_LIST = re.compile(
    r"(?:more (?:columns?|stories|articles|news|opinions?|pieces|from|on this|like this|by|in)\b.{0,60}"
    r"|(?:related|recommended|similar|further)(?: (?:stories|articles|news|content|reading|topics|posts|coverage|columns))?(?: for you)?"
    r"|(?:read|see|watch|listen) (?:also|next|more)(?:\s*[:|–—-])?|also (?:read|see|watch|in .{1,40})"
    r"|(?:most (?:read|popular|viewed|shared)|trending(?: now)?|top stories|latest (?:stories|news|updates|headlines)|editor'?s'? (?:picks?|choice)|"
    r"you (?:may|might) (?:also )?(?:like|be interested in)|in other news|what to read next|don'?t miss|from the archives?|popular (?:now|stories)|"
    r"other (?:columns?|stories|articles|news)\b.{0,40}|previous(?:ly)? (?:columns?|articles|stories)))\s*[:.]?",
    re.IGNORECASE,
)
_RELATED_LINK = re.compile(
    r"(?:read(?: also| more| next)?|also read|see also|watch|related|explained|explainer|editorial|opinion|don'?t miss|more)\s*[:|»>–—]\s*\S.*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…。۔؟।][\"'”’»)\]]*(?:\s\([^()]{1,40}\))?$")
_QUESTION_END = re.compile(r"[?؟][\"'”’»)\]]*$")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+\S")
_BULLET = re.compile(r"(?:[-*•▪►»>–—]|\d{1,2}[.)])\s+")


def reason_to_skip(piece: str) -> SkipReason | None:
    """Returns why a piece is certainly not a paragraph; None if it may be a paragraph.

    These rules are strict enough for paragraphs that a caller cut; headings, which are less certain, have their own.
    """
    words = _words(piece, _MAX_BOILERPLATE_WORDS)
    if words > _MAX_BOILERPLATE_WORDS:
        return None
    if _RELATED_LIST.fullmatch(piece):
        return "related"
    if _BOILERPLATE.fullmatch(piece):
        return "boilerplate"
    if _DATELINE.fullmatch(piece) and not (words > _MAX_DATELINE_WORDS and _SENTENCE_END.search(piece)):
        return "dateline"
    if _BYLINE.fullmatch(piece) or _BIOGRAPHY.match(piece):
        return "byline"
    if _CAPTION.match(piece) or _CREDIT_AT_END.search(piece):
        return "caption"
    if words <= _MAX_HEADING_WORDS and _RELATED_LINK.fullmatch(piece):
        return "related"
    return None


def is_heading(piece: str) -> bool:
    """Whether a piece is a heading, a rule or a number: short and not a sentence, or a short question."""
    words = _words(piece, _MAX_HEADING_WORDS)
    if not any(character.isalpha() for character in piece):
        return True
    if _MARKDOWN_HEADING.match(piece):
        return words <= _MAX_HEADING_WORDS
    if words <= _MAX_QUESTION_WORDS and _QUESTION_END.search(piece):
        return True
    if words <= _MAX_HEADING_WORDS and piece.isupper():
        return True
    return words <= _MAX_HEADING_WORDS and not _SENTENCE_END.search(piece)


def _words(piece: str, most: int) -> int:
    """Counts the words of a piece, up to `most` + 1, because splitting a long piece takes long."""
    return len(piece.split(None, most))


def continues_related_list(piece: str) -> bool:
    """Whether a piece after a "more columns" heading still belongs to its list of headlines."""
    return is_heading(_BULLET.sub("", piece, count=1))
