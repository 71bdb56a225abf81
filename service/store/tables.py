"""The tables. Change them only together with a migration."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from labels.annotations import SPECIFIED_STANCES
from service.store.sql.insertion import UtcDateTime


def _stances(**settings: Any) -> list[Column[Any]]:
    return [Column(stance, Float, **settings) for stance in SPECIFIED_STANCES]


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows automatically only if the key is a plain INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")


def _article_key() -> Column[int]:
    return Column("article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), primary_key=True)


articles = Table(
    "articles",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("external_id", String(512)),
    # Digest of outlet and external id: an id is unique within its outlet. The column was once `external_id` itself.
    Column("external_key", String(512)),
    Column("url", String(2048), unique=True),
    # Digest of outlet and text, and of the external id where an article with another id has the same of both.
    Column("content_sha256", String(64), nullable=False, unique=True),
    # Digest of what was sent (text, HTML or paragraphs); null if an older version stored the article.
    Column("submitted_sha256", String(64)),
    Column("title", Text),
    Column("outlet", String(256)),
    Column("author", String(256)),
    Column("published_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    # published_at if known, else created_at: the order of lists and charts.
    Column("dated_at", UtcDateTime, nullable=False),
    Column("language", String(8), nullable=False),
    Column("text", Text, nullable=False),
    # Number of the story's first stored copy (near-duplicates, wire copy); the article's own if it is the first.
    Column("story", _Number, nullable=False, index=True),
    Index(None, "dated_at", "number"),
    Index(None, "outlet", "dated_at"),
    # SQLite cannot rename a constraint, which came with the column.
    UniqueConstraint("external_key", name="uq_articles_external_id"),
)

# Articles without a date, which charts count as they arrived.
Index(
    "ix_articles_undated",
    articles.c.dated_at,
    sqlite_where=articles.c.published_at.is_(None),
    postgresql_where=articles.c.published_at.is_(None),
)

# Texts that were replaced, with what was known of them; the first of an article has the number 1.
former_versions = Table(
    "former_versions",
    metadata,
    _article_key(),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("replaced_at", UtcDateTime, nullable=False),
    Column("external_id", String(512)),
    Column("url", String(2048)),
    Column("title", Text),
    Column("outlet", String(256)),
    Column("author", String(256)),
    Column("published_at", UtcDateTime),
    Column("language", String(8), nullable=False),
    Column("text", Text, nullable=False),
    # Index, start and end of each paragraph.
    Column("paragraphs", JSON, nullable=False),
)

paragraphs = Table(
    "paragraphs",
    metadata,
    _article_key(),
    Column("paragraph", Integer, primary_key=True),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
)

skipped = Table(
    "skipped",
    metadata,
    _article_key(),
    Column("start_offset", Integer, primary_key=True),
    Column("end_offset", Integer, nullable=False),
    Column("reason", String(32), nullable=False),
)

scorings = Table(
    "scorings",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), nullable=False),
    Column("model_version", String(16), nullable=False),
    Column("codebook_version", Integer, nullable=False),
    Column("operating_point", String(16), nullable=False),
    Column("scored_at", UtcDateTime, nullable=False),
    Column("paragraphs", Integer, nullable=False),
    # The subject of the codebook or "other", and the score of the subject; null for a model that cannot tell.
    Column("about", String(64)),
    Column("about_score", Float),
    UniqueConstraint("article_number", "model_version"),
)

paragraph_scores = Table(
    "paragraph_scores",
    metadata,
    Column("scoring_number", _Number, ForeignKey("scorings.number", ondelete="CASCADE"), primary_key=True),
    Column("paragraph", Integer, primary_key=True),
    Column("frame", String(64), primary_key=True),
    Column("score", Float, nullable=False),
    Column("decision", String(16), nullable=False),
    # Scores of the stances; null where the frame is absent or the model was trained without stances.
    *_stances(),
    # Score by the fold model that has not seen the article; null for a model without fold models.
    Column("left_out_score", Float),
)

article_scores = Table(
    "article_scores",
    metadata,
    Column("scoring_number", _Number, ForeignKey("scorings.number", ondelete="CASCADE"), primary_key=True),
    Column("frame", String(64), primary_key=True),
    Column("score", Float, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("share", Float, nullable=False),
    # Number of paragraphs present and uncertain, and the mean score of all paragraphs.
    Column("paragraphs", Integer, nullable=False),
    Column("uncertain", Integer, nullable=False),
    Column("mean_score", Float, nullable=False),
    # Sums of the stance scores of the paragraphs present.
    *_stances(),
    # Mean score and score of the article by all fold models on average, and by that which has not seen the article;
    # null for a model without fold models.
    Column("cross_mean_score", Float),
    Column("cross_score", Float),
    Column("left_out_mean_score", Float),
    Column("left_out_score", Float),
    Index(None, "frame", "decision"),
)

# The model whose scores the views show; the service updates it when it loads another champion.
champion = Table(
    "champion",
    metadata,
    # Always 1: the table has a single row.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("promotion", Integer, nullable=False),
    Column("version", String(16), nullable=False),
)

# MinHash of each article, and the bands of first copies, by which later copies are recognised.
sketches = Table("sketches", metadata, _article_key(), Column("sketch", LargeBinary, nullable=False))

sketch_bands = Table(
    "sketch_bands",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)


def _daily_key() -> list[Column[Any]]:
    return [
        Column("model_version", String(16), primary_key=True),
        Column("day", Date, primary_key=True),
        # Empty if the article has no outlet.
        Column("outlet", String(256), primary_key=True),
        # Whether the articles are first copies of their story; `dedup` counts only those.
        Column("first_copy", Boolean, primary_key=True),
        # Whether the model says that the articles are about something else than the subject of the codebook.
        Column("off_topic", Boolean, primary_key=True),
        Column("frame", String(64), primary_key=True),
    ]


# Sums over the articles of a day, which charts read; every change updates them (see service/store/daily.py). Scores
# are those of the fold models on average, for a model that has them.
daily_frames = Table(
    "daily_frames",
    metadata,
    *_daily_key(),
    Column("articles", Integer, nullable=False),
    Column("paragraphs", Integer, nullable=False),
    Column("present", Integer, nullable=False),
    Column("uncertain", Integer, nullable=False),
    Column("articles_present", Integer, nullable=False),
    Column("articles_uncertain", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("score_squared", Float, nullable=False),
    Column("paragraphs_squared", Float, nullable=False),
    Column("paragraphs_score", Float, nullable=False),
    Column("mean_score", Float, nullable=False),
    Column("mean_score_squared", Float, nullable=False),
    Column("top_score", Float, nullable=False),
    Column("top_score_squared", Float, nullable=False),
    *_stances(nullable=False, server_default="0"),
    # Of each article, the square of the sum of a stance, and that sum times the sum of all stances, added up: from
    # these follows how far shares of stances vary by article.
    *(Column(f"{stance}_squared", Float, nullable=False, server_default="0") for stance in SPECIFIED_STANCES),
    *(Column(f"{stance}_present", Float, nullable=False, server_default="0") for stance in SPECIFIED_STANCES),
)

# Number of paragraphs that carry both frames.
daily_pairs = Table(
    "daily_pairs",
    metadata,
    *_daily_key(),
    Column("other", String(64), primary_key=True),
    Column("paragraphs", Integer, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("article_id", String(32), ForeignKey("articles.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("response", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

annotations = Table(
    "annotations",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("coder", String(128), nullable=False),
    # `coder`, or `adjudicator` for the decision that settles a disagreement; it does not replace the coders'.
    Column("role", String(16), nullable=False),
    # Identifies what was coded: a paragraph of a stored article, or a text that the request contained.
    Column("unit", String(64), nullable=False, index=True),
    Column("article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), index=True),
    # Negative, with its text, if the paragraph is of a former version of the article.
    Column("paragraph", Integer),
    Column("source", String(256), nullable=False),
    Column("text", Text),
    Column("frames", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("codebook_version", Integer, nullable=False),
    # The keys of the frames that the coder decided about; null where only the version of the codebook is known.
    Column("covered", JSON(none_as_null=True)),
    # Whether the coder asks for another look at the decision.
    Column("unsure", Boolean, nullable=False, server_default=false()),
    Column("selection", String(16), nullable=False),
    Column("inclusion_probability", Float),
    Column("created_at", UtcDateTime, nullable=False),
    # When the coder coded the unit again or removed the annotation; null while the annotation is in force.
    Column("replaced_at", UtcDateTime),
)
Index(
    "uq_annotations_in_force",
    annotations.c.coder,
    annotations.c.role,
    annotations.c.unit,
    unique=True,
    sqlite_where=annotations.c.replaced_at.is_(None),
    postgresql_where=annotations.c.replaced_at.is_(None),
)


def _draw_columns() -> list[Column[Any]]:
    return [
        Column("number", _Number, primary_key=True),
        Column("coder", String(128), nullable=False),
        Column("unit", String(64), nullable=False, index=True),
        Column(
            "article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), nullable=False, index=True
        ),
        Column("paragraph", Integer, nullable=False),
        Column("selection", String(16), nullable=False),
        Column("inclusion_probability", Float, nullable=False),
        # Drawn for a second coder, so that agreement can be measured; the probability is that of the first draw.
        Column("overlap", Boolean, nullable=False),
        # The whole article was drawn, with all its paragraphs.
        Column("whole", Boolean, nullable=False),
        Column("pool", Integer, nullable=False),
        Column("drawn_at", UtcDateTime, nullable=False),
        # Number of the assignment that drew it, which is never deleted; null if the coding queue did.
        Column("assignment", _Number),
    ]


draws = Table("draws", metadata, *_draw_columns(), Index(None, "assignment"), UniqueConstraint("coder", "unit"))

# What coders received and did not annotate, and what therefore went back to the pool that is drawn from.
returned_draws = Table("returned_draws", metadata, *_draw_columns(), Column("returned_at", UtcDateTime, nullable=False))

# Paragraphs, or whole articles, that an admin drew for coders at once, from the articles of some outlets and days.
assignments = Table(
    "assignments",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("coders", JSON, nullable=False),
    Column("note", Text, nullable=False),
    # The articles that were drawn from; null: all outlets, any day.
    Column("outlets", JSON(none_as_null=True)),
    Column("since", Date),
    Column("until", Date),
    Column("whole", Boolean, nullable=False),
    # How many coders receive each paragraph.
    Column("coders_each", Integer, nullable=False),
    # Paragraphs, or whole articles, that were drawn, and those that they were drawn from.
    Column("units", Integer, nullable=False),
    Column("pool", Integer, nullable=False),
    # Number of gold items that each coder receives.
    Column("training", Integer, nullable=False),
    Column("due", Date),
    Column("created_by", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

# Adjudicated paragraphs by which coders train; the label is the adjudication in force.
gold_items = Table(
    "gold_items",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("unit", String(64), nullable=False, unique=True),
    Column("article_number", _Number, ForeignKey("articles.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("paragraph", Integer, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("withdrawn_at", UtcDateTime),
)

# What coders answered to gold items. These are no annotations: they neither train a model nor correct a share.
gold_answers = Table(
    "gold_answers",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("item_number", _Number, ForeignKey("gold_items.number", ondelete="CASCADE"), nullable=False),
    Column("coder", String(128), nullable=False, index=True),
    Column("frames", JSON, nullable=False),
    Column("covered", JSON, nullable=False),
    Column("codebook_version", Integer, nullable=False),
    Column("answered_at", UtcDateTime, nullable=False),
    UniqueConstraint("item_number", "coder"),
)

# Articles that were removed. Their texts are gone from every file once `erased_at` is set; until then `obstacle` says
# what holds them.
removals = Table(
    "removals",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("article_id", String(32), nullable=False, index=True),
    Column("removed_at", UtcDateTime, nullable=False),
    # Whether the whole database is rewritten, as a purge does it.
    Column("thorough", Boolean, nullable=False),
    Column("erased_at", UtcDateTime),
    Column("obstacle", Text),
)

# Few of all removals; each removal and the worker ask for them.
Index(
    "ix_removals_unfinished",
    removals.c.number,
    sqlite_where=removals.c.erased_at.is_(None),
    postgresql_where=removals.c.erased_at.is_(None),
)

training_runs = Table(
    "training_runs",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("step", String(32), nullable=False),
    Column("progress", Float, nullable=False),
    Column("request", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False),
    # Paragraphs annotated here, and of the corpus. Before the second column came, the first counted both.
    Column("annotations", Integer),
    Column("corpus_paragraphs", Integer),
    Column("annotations_digest", String(64)),
    Column("version", String(16)),
    Column("verdict", JSON),
    Column("label_diff", JSON),
    Column("promoted", Boolean),
    Column("error", Text),
    Column("idempotency_key", String(255), unique=True),
    Column("log", JSON, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    # Name of the owner, which annotations and the log of actions record.
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    # Null if it was opened with the admin key of the settings; the digest is then of token and key together.
    Column("key_id", String(12), ForeignKey("api_keys.id", ondelete="CASCADE"), index=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

# Whether keys are needed. It begins with the first key, and stays when the last is revoked or taken out of the
# settings.
access = Table(
    "access",
    metadata,
    # Always 1: the table has a single row.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("closed", Boolean, nullable=False),
)

# Number of requests that each key made in a minute, over all processes.
request_counts = Table(
    "request_counts",
    metadata,
    Column("key_id", String(12), primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)

# Who did what. Lines are only added; the hash of a line covers its content and the hash of the line before.
audit = Table(
    "audit",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(128), nullable=False),
    Column("key_id", String(12)),
    Column("action", String(32), nullable=False, index=True),
    Column("subject", String(512), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("sha256", String(64), nullable=False),
)

# The last line of the log, by which the loss of lines at the end is detected.
audit_head = Table(
    "audit_head",
    metadata,
    # Always 1: the table has a single row.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("lines", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
)
