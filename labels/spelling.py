"""British and American spelling: the house style of an outlet should not change the weight of a word."""

import re
from collections.abc import Iterator

_OUR = (
    "armour", "armoury", "behaviour", "candour", "clamour", "colour", "demeanour", "endeavour", "favour", "favourite",
    "fervour", "flavour", "harbour", "honour", "humour", "labour", "labourer", "neighbour", "neighbourhood", "odour",
    "parlour", "rancour", "rigour", "rumour", "savour", "saviour", "splendour", "valour", "vapour", "vigour",
)  # fmt: skip
_DOUBLED = (
    "cancel", "channel", "counsel", "dial", "duel", "fuel", "label", "level", "libel", "marshal", "model", "quarrel",
    "rival", "shovel", "signal", "spiral", "total", "travel", "tunnel",
)  # fmt: skip
_WHOLE = {
    "calibre": "caliber", "centre": "center", "centred": "centered", "centres": "centers", "defence": "defense",
    "defences": "defenses", "fibre": "fiber", "fulfil": "fulfill", "grey": "gray", "kilometre": "kilometer",
    "kilometres": "kilometers", "licence": "license", "litre": "liter", "litres": "liters", "manoeuvre": "maneuver",
    "manoeuvres": "maneuvers", "metre": "meter", "metres": "meters", "offence": "offense", "offences": "offenses",
    "paediatric": "pediatric", "plough": "plow", "pretence": "pretense", "programme": "program",
    "programmes": "programs", "sabre": "saber", "sceptic": "skeptic", "sceptical": "skeptical",
    "scepticism": "skepticism", "skilful": "skillful", "sombre": "somber", "spectre": "specter", "theatre": "theater",
    "theatres": "theaters", "tonnes": "tons", "traveller": "traveler", "travellers": "travelers", "wilful": "willful",
}  # fmt: skip
_ENDINGS = re.compile(r"(is)(e|ed|es|er|ers|ing|ation|ations|ational)$|(ys)(e|ed|es|ing)$")
_NOT_IZED = frozenset({
    "advertise", "advise", "arise", "comprise", "compromise", "demise", "despise", "devise", "disguise", "enterprise",
    "excise", "exercise", "expertise", "franchise", "improvise", "merchandise", "otherwise", "precise", "premise",
    "promise", "revise", "rise", "supervise", "surmise", "surprise", "televise", "wise",
})  # fmt: skip
_SHORTEST = 6


def american(word: str) -> str:
    """Returns the American spelling of a lower-case British word; any other word is returned unchanged."""
    return _TABLE.get(word) or _ized(word)


def _ized(word: str) -> str:
    match = _ENDINGS.search(word)
    if match is None or len(word) < _SHORTEST:
        return word
    stem = word[: match.start()]
    if match[3]:
        return f"{stem}yz{match[4]}"
    base = f"{stem}ise"
    return word if base in _NOT_IZED or base.endswith("aise") else f"{stem}iz{match[2]}"


def _spellings() -> Iterator[tuple[str, str]]:
    yield from _WHOLE.items()
    for word in _OUR:
        short = word.replace("our", "or", 1)
        for ending in ("", "s", "ed", "ing", "able", "ably", "al", "ful", "less", "ite", "ly"):
            yield word + ending, short + ending
    for word in _DOUBLED:
        for ending in ("ed", "ing", "er", "ers"):
            yield f"{word}{word[-1]}{ending}", word + ending


_TABLE = dict(_spellings())
