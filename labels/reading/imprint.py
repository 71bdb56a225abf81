"""What an article says about itself in the metadata of a page or the fields of an export: its title, author, date …"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_URL = 2000, 256, 2048
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f]+")
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}  # noqa: SIM905
_DAY_FIRST = re.compile(r"\b(?P<day>\d{1,2})(?:st|nd|rd|th)?[ .]+(?P<month>[A-Za-z]{3,9})\.?,? +(?P<year>\d{4})\b")
_MONTH_FIRST = re.compile(r"\b(?P<month>[A-Za-z]{3,9})\.? +(?P<day>\d{1,2})(?:st|nd|rd|th)?,? +(?P<year>\d{4})\b")
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
    """Reads a date in ISO 8601 or with the name of its month; a time without a zone is in UTC. None for all others.

    A date like 3/4/2021 is not read: it may mean March or April.
    """
    words = words.strip()
    if match := _ISO.match(words):
        try:
            moment = datetime.fromisoformat(match[0].replace(" Z", "Z").replace(" +", "+"))
        except ValueError:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    named = _DAY_FIRST.search(words) or _MONTH_FIRST.search(words)
    month = _MONTHS.get(named["month"][:3].lower()) if named else None
    if named is None or month is None:
        return None
    try:
        return datetime(int(named["year"]), month, int(named["day"]), tzinfo=UTC)
    except ValueError:
        return None


def _folded(words: str | None, longest: int) -> str | None:
    folded = " ".join((words or "").replace("\0", " ").split())
    return folded if 0 < len(folded) <= longest else None
