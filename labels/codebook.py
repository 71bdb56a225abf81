"""The codebook: the frames that coders look for, and their definitions."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labels.colours import colours_of
from labels.errors import CodebookError

DEFAULT_CODEBOOK = Path(__file__).with_name("codebook.toml")
MIN_FRAMES, MAX_FRAMES = 2, 50

# What an article is about that is not about the subject of the codebook.
OTHER = "other"
MOST_OF_SUBJECT = 64

# Of what is no frame of the codebook. Files of earlier releases have it for frames whose colour nobody named.
UNKNOWN_COLOUR = "#555555"

# Tables of word lists in a codebook file, with what the words of a list have in common.
_WORD_LISTS = {"concepts": "mean much the same", "classes": "count as equal"}

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: a way of presenting the violence, which a paragraph may carry.

    `include` and `exclude` are rules for coders; only the keyword baseline of the evaluation reads `keywords`. `since`
    is the version of the codebook in which the frame came: earlier annotations say nothing of it. `formerly` are keys
    that it had before; annotations under them are annotations of this frame.
    """

    key: str
    title: str
    definition: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    colour: str | None = None  # `Codebook.colours` has a colour for every frame
    keywords: tuple[str, ...] = ()
    since: int = 1
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A settled case: a question that coders had, the rule that answers it, and the frames that it concerns."""

    title: str
    rule: str
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Codebook:
    """The frames in the order of the file; `version` changes whenever the meaning of a frame does."""

    name: str
    version: int
    frames: tuple[Frame, ...]
    # Numbered from 1 in this order, as coders cite them.
    cases: tuple[Case, ...] = ()
    # Words that mean much the same, by their meaning: training lets them learn from each other.
    concepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    # Words that a model must not distinguish (names of states, for example), by the name of their class.
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    # What the articles are about, in a few words; empty where the codebook does not name it. With it, a base
    # model can tell an article about something else.
    subject: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the frames in the order of the file."""
        return tuple(frame.key for frame in self.frames)

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour of each frame by key: its own, or the next of the palette if it names none."""
        return dict(zip(self.keys, colours_of([frame.colour for frame in self.frames]), strict=True))

    @property
    def current_keys(self) -> Mapping[str, str]:
        """The key of today for every key that a frame has or had."""
        return {key: frame.key for frame in self.frames for key in (frame.key, *frame.formerly)}

    def keys_in(self, version: int) -> frozenset[str]:
        """The keys of the frames that a version of the codebook had, as far as `since` says."""
        return frozenset(frame.key for frame in self.frames if frame.since <= version)

    def under_keys(self, keys: Iterable[str]) -> "Codebook":
        """The frames as a model calls them that was trained before some of them were renamed."""
        keys, today = tuple(keys), self.current_keys
        named = {frame.key: frame for frame in self.frames}
        frames = []
        for key in keys:
            frame = named.get(today.get(key, key), Frame(key, key, key))
            others = tuple(name for name in (frame.key, *frame.formerly) if name not in keys)
            frames.append(replace(frame, key=key, formerly=others))
        return Codebook(self.name, self.version, tuple(frames))

    def cases_of(self, key: str) -> list[tuple[int, Case]]:
        """The settled cases that concern a frame, each with its number."""
        return [(number, case) for number, case in enumerate(self.cases, 1) if key in case.frames]


def read_codebook(path: Path = DEFAULT_CODEBOOK) -> Codebook:
    """Reads and checks a codebook file (TOML); raises `CodebookError` with all faults of the file."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CodebookError(f"There is no codebook at {path}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CodebookError(f"The codebook {path} is not valid TOML: {error}.") from error
    faults = _faults(content)
    if faults:
        raise CodebookError(f"The codebook {path} is not usable: {'; '.join(faults)}.")
    lists = {
        table: {name: tuple(words.split()) for name, words in content.get(table, {}).items()} for table in _WORD_LISTS
    }
    frames, cases = tuple(map(_frame, content["frames"])), tuple(map(_case, content.get("cases", ())))
    return Codebook(content["name"], content["version"], frames, cases, subject=content.get("subject", ""), **lists)


def codebook_faults(codebook: Codebook) -> list[str]:
    """Lists what is wrong with a codebook that was made in memory; empty if it is valid."""
    frames, cases = [_entry(frame) for frame in codebook.frames], [_case_entry(case) for case in codebook.cases]
    return _faults({"name": codebook.name, "version": codebook.version, "frames": frames, "cases": cases})


def codebook_to_toml(codebook: Codebook) -> str:
    """Returns the codebook as the text of a TOML file that `read_codebook` reads."""
    lines = [f"name = {_toml(codebook.name)}", f"version = {codebook.version}"]
    lines += [f"subject = {_toml(codebook.subject)}"] if codebook.subject else []
    for frame in codebook.frames:
        lines += ["", "[[frames]]", *(f"{name} = {_toml(value)}" for name, value in _entry(frame).items())]
    for case in codebook.cases:
        lines += ["", "[[cases]]", *(f"{name} = {_toml(value)}" for name, value in _case_entry(case).items())]
    for table in _WORD_LISTS:
        if lists := getattr(codebook, table):
            lines += ["", f"[{table}]", *(f"{_toml(name)} = {_toml(' '.join(words))}" for name, words in lists.items())]
    return "\n".join(lines) + "\n"


def _entry(frame: Frame) -> dict[str, Any]:
    """Returns a frame as its table in a codebook file, without empty lists."""
    entry: dict[str, Any] = {
        "key": frame.key,
        "title": frame.title,
        **({"colour": frame.colour} if frame.colour else {}),
        "definition": frame.definition,
    }
    lists = {
        "include": frame.include,
        "exclude": frame.exclude,
        "keywords": frame.keywords,
        "formerly": frame.formerly,
    }
    entry |= {name: list(values) for name, values in lists.items() if values}
    return entry if frame.since == 1 else {**entry, "since": frame.since}


def _case_entry(case: Case) -> dict[str, Any]:
    """Returns a case as its table in a codebook file."""
    return {"title": case.title, "rule": case.rule, "frames": list(case.frames)}


def _toml(value: Any) -> str:
    """Writes a string, a list of strings or a number as TOML: the same as in JSON, except for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _frame(entry: dict[str, Any]) -> Frame:
    return Frame(
        key=entry["key"],
        title=entry["title"],
        definition=entry["definition"].strip(),
        include=tuple(entry.get("include", ())),
        exclude=tuple(entry.get("exclude", ())),
        colour=None if entry.get("colour") == UNKNOWN_COLOUR else entry.get("colour"),
        keywords=tuple(entry.get("keywords", ())),
        since=entry.get("since", 1),
        formerly=_names(entry.get("formerly", ())),
    )


def _names(value: Any) -> tuple[str, ...]:
    """Returns the names in a list; a single name may stand without a list."""
    return (value,) if isinstance(value, str) else tuple(value)


def _case(entry: dict[str, Any]) -> Case:
    return Case(entry["title"], entry["rule"].strip(), tuple(entry["frames"]))


def _faults(content: dict[str, Any]) -> list[str]:
    faults = []
    if not isinstance(content.get("name"), str):
        faults.append("'name' must be a string")
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        faults.append("'version' must be a whole number from 1")
    if not _is_subject(content.get("subject", "")):
        faults.append(f"'subject' must be a few words on one line, and not '{OTHER}'")
    for table, in_common in _WORD_LISTS.items():
        lists = content.get(table, {})
        if not isinstance(lists, dict) or not all(isinstance(words, str) for words in lists.values()):
            faults.append(f"'{table}' must be a table of strings, each with words that {in_common}")
    frames = content.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        return [*faults, "'frames' must be a list of [[frames]] tables"]
    if not MIN_FRAMES <= len(frames) <= MAX_FRAMES:
        faults.append(f"it has {len(frames)} frames, and {MIN_FRAMES} to {MAX_FRAMES} are allowed")
    keys = [frame.get("key") for frame in frames]
    faults += [f"frame '{key}' is defined twice" for key in {k for k in keys if keys.count(k) > 1}]
    faults += _former_faults(frames, keys)
    for number, frame in enumerate(frames, 1):
        faults += [f"frame {number} ({frame.get('key')}): {fault}" for fault in _since_faults(frame, version)]
        faults += [f"frame {number} ({frame.get('key')}): {fault}" for fault in _frame_faults(frame)]
    return faults + _cases_faults(content.get("cases", []), keys)


def _is_subject(subject: Any) -> bool:
    return isinstance(subject, str) and len(subject) <= MOST_OF_SUBJECT and subject != OTHER and subject.isprintable()


def _frame_faults(frame: dict[str, Any]) -> list[str]:
    faults = []
    if not isinstance(frame.get("key"), str) or not _KEY.fullmatch(frame["key"]):
        faults.append("'key' must be lower-case letters, digits and underscores, starting with a letter")
    faults += [f"'{name}' must be a string" for name in ("title", "definition") if not isinstance(frame.get(name), str)]
    for name in ("include", "exclude", "keywords"):
        entries = frame.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            faults.append(f"'{name}' must be a list of strings")
    colour = frame.get("colour", UNKNOWN_COLOUR)
    if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
        faults.append("'colour' must be written as #rrggbb")
    return faults


def _since_faults(frame: dict[str, Any], version: Any) -> list[str]:
    since = frame.get("since", 1)
    if not isinstance(since, int) or isinstance(since, bool) or since < 1:
        return ["'since' must be the version in which the frame came, a whole number from 1"]
    if isinstance(version, int) and since > version:
        return [f"'since' is version {since}, and the codebook is version {version}: raise its 'version'"]
    return []


def _former_faults(frames: list[dict[str, Any]], keys: list[Any]) -> list[str]:
    """Names the former keys that are not keys, and those of which it is not clear which frame they belong to."""
    faults = []
    owners: dict[str, Any] = {}
    for frame in frames:
        formerly = frame.get("formerly", [])
        if not isinstance(formerly, str | list) or not all(isinstance(key, str) for key in _names(formerly)):
            faults.append(f"frame '{frame.get('key')}': 'formerly' must be a former key or a list of them")
            continue
        for key in _names(formerly):
            if not _KEY.fullmatch(key):
                faults.append(f"frame '{frame.get('key')}': '{key}' in 'formerly' cannot be a key")
            elif key in keys:
                faults.append(f"'{key}' is a frame and cannot be a former key of '{frame.get('key')}' too")
            elif owners.setdefault(key, frame.get("key")) != frame.get("key"):
                faults.append(f"'{key}' is a former key of both '{owners[key]}' and '{frame.get('key')}'")
    return faults


def _cases_faults(cases: Any, keys: list[Any]) -> list[str]:
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        return ["'cases' must be a list of [[cases]] tables"]
    faults = []
    for number, case in enumerate(cases, 1):
        faults += [
            f"case {number}: '{name}' must be a string"
            for name in ("title", "rule")
            if not isinstance(case.get(name), str)
        ]
        frames = case.get("frames")
        if not isinstance(frames, list) or not frames:
            faults.append(f"case {number}: 'frames' must be a list of the frames that it concerns")
            continue
        faults += [f"case {number}: there is no frame '{frame}'" for frame in frames if frame not in keys]
    return faults
