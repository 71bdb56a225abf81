"""Everything that an operator can set. The only reader of the environment: FRAMING_<NAME>, or an `.env` file."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from labels.annotations import DEFAULT_CORPUS
from labels.codebook import DEFAULT_CODEBOOK
from service.schemas.hyperparameters import HyperparametersRequest


class Settings(BaseSettings):
    """The settings, checked; fields are documented where they stand."""

    model_config = SettingsConfigDict(env_prefix="FRAMING_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path("data"), description="Folder of the database and the models; made when missing.")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the database; empty: `framing.sqlite3` in the data folder."
    )
    models_url: str = Field(
        "",
        description="Where the models are: a folder, or any URL that fsspec knows, such as s3://bucket/models (install "
        "s3fs for it); empty: `models` in the data folder.",
    )
    codebook: Path = Field(DEFAULT_CODEBOOK, description="Codebook file (TOML) that new models are trained by.")
    corpus: Path = Field(DEFAULT_CORPUS, description="Annotated paragraphs (JSON Lines file or folder) to train on.")
    hyperparameters: Annotated[HyperparametersRequest, NoDecode] = Field(
        HyperparametersRequest(),
        description='What new models are trained with where a training run asks for nothing else, as JSON: `{"names": '
        'true, "characters": 4}`; what may stand there is in the documentation of `POST /v1/training-runs`.',
    )
    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback only once there is a key.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    admin_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="A key of the role admin that is not in the database, for a first start; 32 characters or more.",
    )
    model_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key that signs models given to, and vouches for those taken from, other installations.",
    )
    session_hours: int = Field(12, ge=1, description="How long one stays signed in to the pages.")
    rate_per_minute: int = Field(0, ge=0, description="Requests that a key may make in a minute; 0: no limit.")
    wrong_keys_per_minute: int = Field(
        60, ge=0, description="Keys that do not work which an address may show in a minute; 0: no limit."
    )
    max_requests: int = Field(256, ge=1, description="Requests under way in a process; more are asked to come back.")
    body_seconds: float = Field(30, gt=0, description="Longest time that a request may take to send its body.")
    answer_seconds: float = Field(
        60, gt=0, description="Longest time that a client may leave a piece of an answer unread."
    )
    max_body_mib: int = Field(
        8, ge=1, description="Largest request body in MiB (JSON escapes may take six times the text)."
    )
    max_text_mib: int = Field(1, ge=1, description="Largest text of an article in MiB of UTF-8.")
    max_paragraphs: int = Field(2000, ge=1, description="Most paragraphs of an article.")
    evidence_terms: int = Field(8, ge=1, le=100, description="Words shown as evidence for each frame of a paragraph.")
    champion_poll_seconds: float = Field(1.0, gt=0, description="How often a process looks for a new champion.")
    server_processes: int = Field(1, ge=1, le=256, description="Processes of `framing serve` that answer requests.")
    threads: int = Field(8, ge=2, description="Requests that one process works on at once; others wait their turn.")
    helpers: int | None = Field(
        None,
        ge=0,
        description="Processes that help with articles of hundreds of paragraphs, started for one and gone a minute "
        "after the last, about 100 MiB each; unset: one a core up to four, none on a single core or beside other "
        "server processes.",
    )
    worker: bool = Field(
        True, description="Whether `framing serve` starts a worker; else run `framing worker` yourself."
    )
    worker_yields: bool = Field(
        True,
        description="Whether the worker takes only what others leave of one core (nice 19, on Linux SCHED_IDLE); false "
        "where it has a machine of its own.",
    )
    promotion: Literal["auto", "manual"] = Field(
        "manual", description="Whether a training run promotes its model when the verdict is for it."
    )
    rescore: bool = Field(True, description="Whether stored articles are scored anew after a promotion.")
    coding_guess: Literal["after", "before", "never"] = Field(
        "after",
        description="When the coding page shows what the model thinks of a paragraph; before biases the coder.",
    )
    min_alpha: float = Field(
        0.0, ge=0, le=1, description="Least Krippendorff's alpha of the coders on a frame for a training run to go on."
    )
    retrain_cron: str = Field("", description="When to train by itself (cron expression, UTC); empty: never.")
    retrain_every: int = Field(0, ge=0, description="Train by itself after so many new codes; 0: never.")
    idempotency_hours: int = Field(24, ge=1, description="How long an Idempotency-Key is remembered.")
    log_level: str = Field(
        "info", pattern="^(critical|error|warning|info|debug)$", description="Least severe log lines that are written."
    )

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _json(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except json.JSONDecodeError as error:
            raise ValueError(f"'{given}' is no JSON such as '{{\"names\": true}}'") from error

    @field_validator("retrain_cron")
    @classmethod
    def _cron(cls, expression: str) -> str:
        if not expression:
            return expression
        from croniter import croniter  # noqa: PLC0415 - few train by the clock, and all wait for what is imported

        if not croniter.is_valid(expression):
            raise ValueError(f"'{expression}' is not a cron expression such as '0 3 * * 1'")
        return expression

    @property
    def models_location(self) -> Path | str:
        return self.models_url or self.data_dir / "models"

    @property
    def cache_dir(self) -> Path:
        return self.data_dir / "cache"

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'framing.sqlite3'}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
