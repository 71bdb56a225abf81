"""What an article says about itself in the metadata of a page or the fields of an export: its title, author, date …"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime

_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_URL = 2000, 256, 2048
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f\ud800-\udfff]+")
# NUL and halves of characters, which JSON in a page can escape, and which could neither be stored nor answered.
_NOT_TEXT = re.compile(r"[\x00\ud800-\udfff]")
# English, German, French, Spanish, Italian, Portuguese and Dutch, without accents.
_MONTHS = tuple(
    tuple(names.split())
    for names in (
        "january januar jaenner janner janvier enero gennaio janeiro januari",
        "february februar feber fevrier febrero febbraio fevereiro februari",
        "march marz maerz mars marzo marco maart",
        "april avril abril aprile",
        "may mai mayo maggio maio mei",
        "june juni juin junio giugno junho",
        "july juli juillet julio luglio julho",
        "august aout agosto augustus",
        "september septembre septiembre setiembre settembre setembro",
        "october oktober octobre octubre ottobre outubro",
        "november novembre noviembre novembro",
        "december dezember decembre diciembre dicembre dezembro",
    )
)
_FEWEST_LETTERS = 3
_NAME = r"(?P<month>[^\W\d_]{3,12})\.?"
_DAY_FIRST = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|[ºª])?(?:[ .]+|-)(?:de )?{_NAME}(?:,? +|-)(?:del? )?(?P<year>\d{{4}})\b"
)
_MONTH_FIRST = re.compile(rf"\b{_NAME} +(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? +(?P<year>\d{{4}})\b")
# Who writes dots between numbers writes the day first.
_DOTTED = re.compile(r"\b(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\. ?(?P<year>\d{4})\b")
_YEAR_FIRST = re.compile(
    r"\b(?P<year>\d{4})(?P<mark>[/年]) ?(?P<month>\d{1,2})(?:(?P=mark)|月) ?(?P<day>\d{1,2})(?!\d)日?"
)
_WRITTEN = (_DAY_FIRST, _MONTH_FIRST, _DOTTED, _YEAR_FIRST)
_WEEKDAY = r"(?:[^\W\d_]{2,12}(?:-feira)?\.?,? +)?(?:(?:the|den|le|el|il) +)?"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?: ?Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Imprint:
    """What an article says about itself; None where it says nothing, or nothing that can be read."""

    title: str | None = None
    author: str | None = None
    outlet: str | None = None
    url: str | None = None
    published_at: datetime | None = None

    def or_else(self, other: "Imprint") -> "Imprint":
        """Fills gaps with what another source says."""
        values = {field.name: getattr(self, field.name) or getattr(other, field.name) for field in fields(self)}
        return Imprint(**values)


NO_IMPRINT = Imprint()


def imprint_of(
    *,
    title: str | None = None,
    author: str | None = None,
    outlet: str | None = None,
    url: str | None = None,
    date: str | None = None,
) -> Imprint:
    """Makes an imprint of words as they come: spaces folded, what is too long to be true left out, dates read."""
    address = (url or "").strip()
    is_address = len(address) <= _LONGEST_URL and _WEB_ADDRESS.fullmatch(address)
    return Imprint(
        title=_folded(title, _LONGEST_TITLE),
        author=_folded(author, _LONGEST_NAME),
        outlet=_folded(outlet, _LONGEST_NAME),
        url=address if is_address else None,
        published_at=read_date(date) if date else None,
    )


def first_known(values: Mapping[str, str], names: Sequence[str]) -> str | None:
    """Returns the first value under these names that is not empty."""
    return next((values[name] for name in names if values.get(name)), None)


def read_date(words: str) -> datetime | None:
    """Reads a date in ISO 8601 or as it is written among other words; a time without a zone is in UTC.

    None for all others. A date like 3/4/2021 is not read: it may mean March or April.
    """
    words = words.strip()
    if match := _ISO.match(words):
        try:
            moment = datetime.fromisoformat(match[0].replace(" Z", "Z").replace(" +", "+"))
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):  # in UTC, the first and the last day there are may be none
            return None
    dates = (_dated(match) for pattern in _WRITTEN for match in pattern.finditer(words))
    return next((moment for moment in dates if moment is not None), None)


def written_day(words: str) -> date | None:
    """Reads a day that is written out, such as 14. März 2021 or 14.03.2021, with nothing but its weekday beside it."""
    for pattern in _WRITTEN:
        match = re.fullmatch(_WEEKDAY + pattern.pattern, words.strip())
        if match is not None and (moment := _dated(match)) is not None:
            return moment.date()
    return None


def _dated(match: re.Match[str]) -> datetime | None:
    month = int(match["month"]) if match["month"].isdecimal() else _month_named(match["month"])
    try:
        return datetime(int(match["year"]), month or 0, int(match["day"]), tzinfo=UTC)
    except ValueError:
        return None


def _month_named(word: str) -> int | None:
    """The number of a month by its name or the beginning of it; None where the beginning is that of two months."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    numbers = {number for number, names in enumerate(_MONTHS, 1) if any(name.startswith(plain) for name in names)}
    return numbers.pop() if len(numbers) == 1 and len(plain) >= _FEWEST_LETTERS else None


def _folded(words: str | None, longest: int) -> str | None:
    folded = " ".join(_NOT_TEXT.sub(" ", words or "").split())
    return folded if 0 < len(folded) <= longest else None
