"""Names of downloaded files, from the question that their figures answer."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

_LONGEST = 110
# Of more values than this, a name says only how many there are.
_MOST_VALUES = 3
# The parameters that a name has, in this order.
_IN_NAMES = ("by", "from", "to", "outlet", "frame", "unit", "weight", "dedup", "population", "operating_point")
_UNSAID = {"unit": "paragraph", "weight": "unit", "population": "all_articles", "dedup": "false"}
_PREFIXES = {"by": "by-", "from": "from-", "to": "to-", "weight": "weight-"}
_WORDS = {"true": "each-story-once", "article": "articles", "on_subject": "on-subject"}
# Charts of figures that nothing corrects.
_NEVER_CORRECTED = ("pairs", "stances")


def file_name(subject: str, parameters: Iterable[tuple[str, str]]) -> str:
    """A name without its ending, such as `prevalence_by-week_from-2026-01-01_valley-times_corrected`."""
    values: dict[str, list[str]] = {}
    for name, value in parameters:
        values.setdefault(name, []).append(value)
    parts = [part for name in _IN_NAMES for part in _parts(name, values.get(name, ()))]
    if subject not in _NEVER_CORRECTED:
        parts.append("raw" if values.get("correct") == ["false"] else "corrected")
    return _shortened("_".join([subject, *parts]))


def chart_file_name(chart: str, source: str, model_version: str | None) -> str:
    """The name of the files of a chart; a chart without an address for its rows is about models."""
    if source.startswith("#"):
        return f"{chart}_{model_version}" if model_version else chart
    return file_name(chart, parse_qsl(urlsplit(source).query))


def _parts(name: str, values: Iterable[str]) -> list[str]:
    chosen = [value for value in values if value and value != _UNSAID.get(name)]
    if len(chosen) > _MOST_VALUES:
        return [f"{len(chosen)}-{name}s"]
    return [_PREFIXES.get(name, "") + _WORDS.get(value, _slug(value)) for value in chosen]


def _slug(value: str) -> str:
    """The value in letters that every file system takes; what has none of them gets a number of its own."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or _digest(value)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST].rstrip('-_')}_{_digest(name)}"


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]
