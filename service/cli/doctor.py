"""`framing doctor`: checks that everything that the service needs exists and is undamaged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from labels.annotations import read_corpus
from labels.codebook import read_codebook
from labels.errors import FramingError
from service.cli.backup import delete_parts, parts_of_restore
from service.errors import DatabaseError
from service.settings import Settings
from service.store import audit, removals
from service.store.sql.database import Database
from training.errors import NoChampionError
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: whether `subject` is in order, and what was seen or has to be done."""

    subject: str
    ok: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Checks everything, even after a fault, and changes nothing."""
    registry = Registry(settings.models_location, settings.trust)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("codebook", lambda: _codebook(settings)),
        ("corpus", lambda: _corpus(settings)),
        ("restore", lambda: _restore(settings)),
        ("database", lambda: _database(settings)),
        ("removed texts", lambda: _removed_texts(settings)),
        ("log of actions", lambda: _audit(settings)),
        ("champion", lambda: _champion(registry)),
        ("champion's codebook", lambda: _codebooks_agree(settings, registry)),
        ("leftovers", lambda: _leftovers(registry)),
        ("links", lambda: _links(registry)),
        ("history", lambda: _history(registry)),
    ]
    checks += [(f"model {version}", _model_check(registry, version)) for version in registry.versions()]
    return [_run(subject, check) for subject, check in checks]


def mend(settings: Settings) -> list[str]:
    """Sets aside what is damaged and can be done without; returns a sentence for each thing that was done."""
    parts = parts_of_restore(settings)
    done = [] if parts is None else [delete_parts(settings, parts)]
    aside = Registry(settings.models_location, settings.trust).set_aside_damaged()
    return [*done, *(f"A damaged promotion is named {name} now, and nothing reads it." for name in aside)]


def _run(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, check())
    except FramingError as error:
        return Finding(subject, False, str(error))
    except Exception as error:  # noqa: BLE001 - what is damaged can fail in any way, and the other checks are wanted
        return Finding(subject, False, f"cannot be checked, because it is damaged ({type(error).__name__}).")


def _codebook(settings: Settings) -> str:
    codebook = read_codebook(settings.codebook)
    return f"{len(codebook.frames)} frames, version {codebook.version}"


def _corpus(settings: Settings) -> str:
    paragraphs = read_corpus(settings.corpus, read_codebook(settings.codebook))
    return f"{len(paragraphs):,} annotated paragraphs"


def _restore(settings: Settings) -> str:
    parts = parts_of_restore(settings)
    if parts is None:
        return "none that did not finish"
    if parts.whole:
        raise FramingError(
            f"The restore of {parts.backup} had finished but for a note, which `framing doctor --mend` deletes."
        )
    raise FramingError(
        f"The restore of {parts.backup} did not finish; it left {len(parts.own)} files, such as "
        f"{', '.join(parts.own[:3]) or 'a note'}. `framing doctor --mend` deletes them; then restore again."
    )


def _removed_texts(settings: Settings) -> str:
    """Whether every removed text is gone from the files."""
    with _reading(settings) as connection:
        waiting = [] if connection is None else removals.pending(connection)
    if waiting:
        raise DatabaseError(
            f"Bytes of {len(waiting)} removed articles are left, such as {waiting[0].article_id}: "
            f"{waiting[0].obstacle or 'nobody has tried to erase them.'} A running worker erases them, or "
            f"`framing purge {waiting[0].article_id} --wait`."
        )
    return "all gone from the files"


def _database(settings: Settings) -> str:
    with _reading(settings) as connection:
        if connection is None:
            return "does not exist yet; the first start creates it"
        if connection.dialect.name == "sqlite":
            result = connection.execute(text("PRAGMA integrity_check")).scalar_one()
            if result != "ok":
                raise DatabaseError(f"The database file is damaged: {result}. Restore a backup.")
        return f"reachable and undamaged ({connection.engine.url.render_as_string(hide_password=True)})"


def _audit(settings: Settings) -> str:
    with _reading(settings) as connection:
        return "empty" if connection is None else f"{audit.verify(connection)} lines, all unchanged"


@contextmanager
def _reading(settings: Settings) -> Iterator[Connection | None]:
    """A connection to the database, or None where it does not exist yet; raises `DatabaseError`."""
    database = Database(settings.store_url)
    try:
        if database.is_sqlite and not Path(database.url.database or "").is_file():
            yield None
        else:
            database.ping()
            with database.read() as connection:
                yield connection
    except DBAPIError as error:
        raise DatabaseError("The database cannot be read.") from error
    finally:
        database.close()


def _champion(registry: Registry) -> str:
    model, promotion = registry.load_champion()
    if not model.card.is_pickle:
        model.prepare()
    return f"{model.card.version}, promoted {promotion.at} by {promotion.by}"


def _codebooks_agree(settings: Settings, registry: Registry) -> str:
    try:
        card = registry.card(registry.champion().version)
    except NoChampionError:
        return "no champion yet"
    codebook = read_codebook(settings.codebook)
    if card.frame_keys != codebook.keys or card.codebook_version != codebook.version:
        raise FramingError(
            f"The champion follows version {card.codebook_version} of '{card.codebook_name}', but the settings name "
            f"version {codebook.version} of '{codebook.name}': train a model for it."
        )
    return "the same as in the settings"


def _leftovers(registry: Registry) -> str:
    unfinished = registry.unfinished()
    if unfinished:
        raise FramingError(
            f"Killed processes left {len(unfinished)} unfinished files, or encoders that no model reads, beside the "
            f"models; while nothing trains, delete {', '.join(unfinished[:5])}."
        )
    return "none"


def _links(registry: Registry) -> str:
    strangers = registry.storage.strangers()
    if strangers:
        raise FramingError(
            f"The models folder has {len(strangers)} links or devices, which are not followed and not read: "
            f"{', '.join(strangers[:5])}. Delete them, or put the files themselves there."
        )
    return "none"


def _history(registry: Registry) -> str:
    refused = registry.refused_promotions()
    if refused:
        ways = []
        if any(entry.damaged for entry in refused):
            ways.append("`framing doctor --mend` sets damaged files aside.")
        if not all(entry.damaged for entry in refused):
            ways.append("Sign what is yours with `framing sign-models`, and delete what is not.")
        raise FramingError(" ".join([*(entry.why for entry in refused[:5]), *ways]))
    return f"{len(registry.history())} promotions"


def _model_check(registry: Registry, version: str) -> Callable[[], str]:
    def check() -> str:
        model = registry.load(version)
        if model.card.is_pickle:
            return "unchanged since it was registered and signed; a pickle, which was not opened here"
        model.prepare()
        return "unchanged since it was registered, and loads"

    return check
