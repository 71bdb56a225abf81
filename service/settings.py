"""All settings of the operator: FRAMING_<NAME> in the environment or in an `.env` file. Only this module reads them."""

import json
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from labels.annotations import DEFAULT_CORPUS
from labels.codebook import DEFAULT_CODEBOOK
from service.schemas.fields import Articles
from service.schemas.hyperparameters import HyperparametersRequest
from training.errors import OutboundRefusedError
from training.hyperparameters import Pull, Start, WantedKind
from training.outbound.filesystems import require_store, scheme_of
from training.outbound.policy import policy_of
from training.registry.signatures import Trust

_KEY_CHARACTERS = 32


class Settings(BaseSettings):
    """The validated settings. docs/settings.md lists them with these descriptions."""

    model_config = SettingsConfigDict(
        env_prefix="FRAMING_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    data_dir: Path = Field(Path("data"), description="Folder of the database and the models; created if missing.")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the database; empty: `framing.sqlite3` in the data folder."
    )
    models_url: str = Field(
        "",
        description="Location of the models: a folder, or an object store such as s3://bucket/models (needs "
        "media-framing[s3]); empty: `models` in the data folder.",
    )
    outbound_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts of other machines, separated by commas, to which connections may be made beside the places "
        "that you name elsewhere: `feeds.example.org` (https), `http://10.1.2.3:8080`, `*.example.org`. A host with a "
        "private address needs its network in the list too, such as `10.1.0.0/16`. Empty: none.",
    )
    codebook: Path = Field(DEFAULT_CODEBOOK, description="Codebook file (TOML) for new models.")
    corpus: Path = Field(DEFAULT_CORPUS, description="Annotated paragraphs (JSON Lines file or folder) to train on.")
    kind: WantedKind = Field(
        "auto",
        description="Kind of the models that are trained: `encoder` reads words in context, `encoder-small` does so "
        "several times faster and less well, `words` counts them and is hundreds of times faster; `auto`: the kind of "
        "the champion; before the first champion `encoder`, and for another codebook the kind that is better on the "
        "annotations.",
    )
    start: Start = Field(
        "base",
        description="What training starts from: `base`, the shipped model of the kind, which is adapted to your "
        "annotations; `nothing`: the annotations and FRAMING_CORPUS alone.",
    )
    pull: Pull | None = Field(
        None,
        description="How strongly the shipped model holds its weights while it learns from your annotations, above 0; "
        "without it cross-validation on your annotations chooses.",
    )
    hyperparameters: Annotated[HyperparametersRequest, NoDecode] = Field(
        HyperparametersRequest(),
        description='Hyperparameters for training runs that do not set them, as JSON: `{"names": true, "characters": '
        "4}`; the documentation of `POST /v1/training-runs` lists them.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; an address beyond loopback requires a key.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names under which the service is reached, separated by commas, such as `framing.example.org`. "
        "Requests to another name receive 421; names of this machine's loopback always work. Empty: with keys every "
        "name, without keys loopback alone.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias=AliasChoices("framing_trusted_proxies", "forwarded_allow_ips"),
        description="Addresses or networks of your proxies, separated by commas: what they report of the client "
        "(`X-Forwarded-For`, `X-Forwarded-Proto`) is believed, and of nobody else. `FORWARDED_ALLOW_IPS` is read too.",
    )
    admin_key: SecretStr | None = Field(
        None,
        description="An admin key that is not in the database, for the first start; 32 characters or more.",
    )
    model_key: SecretStr | None = Field(
        None,
        description="Key that signs models and promotions: those of files from elsewhere, and those in the models "
        "folder. With it, a promotion that it did not sign counts for nothing; `framing sign-models` signs what was "
        "there before.",
    )
    allow_pickle: bool = Field(
        False,
        description="Whether a model without a compiled form, such as a scikit-learn pipeline of your own, may be "
        "unpickled, by a process of its own and only if FRAMING_MODEL_KEY has signed it. A pickle can run any code. "
        "The kinds of model that this program trains need no pickle.",
    )
    session_hours: int = Field(12, ge=1, description="Duration of a session of the pages in hours.")
    rate_per_minute: int = Field(0, ge=0, description="Requests that a key may make per minute; 0: no limit.")
    wrong_keys_per_minute: int = Field(
        60, ge=0, description="Wrong keys that an address may send per minute; 0: no limit."
    )
    max_requests: int = Field(
        256,
        ge=1,
        description="Maximum number of requests in progress per process; further requests receive 503. A single key "
        "can have three quarters of them in progress, and fewer while others need room; then it receives 429.",
    )
    streams_per_key: int = Field(
        16, ge=1, description="Maximum number of event streams and exports that a key may have open per process."
    )
    body_seconds: float = Field(
        30,
        gt=0,
        description="Seconds for which the service waits for the body of a request; what arrives of the body restores "
        "them. Also the time for a client to send the headers.",
    )
    body_bytes_per_second: int = Field(
        1024, ge=1, description="Slowest rate at which a body may arrive when FRAMING_BODY_SECONDS are used up."
    )
    answer_seconds: float = Field(60, gt=0, description="Maximum time for a client to read a piece of an answer.")
    max_body_mib: int = Field(
        8,
        ge=1,
        description="Maximum size of a request body in MiB (with JSON escapes, a text can take six times its size).",
    )
    max_text_mib: int = Field(1, ge=1, description="Maximum size of an article's text in MiB of UTF-8.")
    window_sentences: int = Field(
        4,
        ge=0,
        le=50,
        description="Number of sentences, give or take one, after which a text without line breaks is cut; 0: such a "
        "text is a single paragraph.",
    )
    max_paragraphs: int = Field(2000, ge=1, description="Maximum number of paragraphs of an article.")
    max_paragraph_characters: int = Field(
        50_000, ge=1000, description="Maximum number of characters (code points) of a paragraph."
    )
    evidence_terms: int = Field(
        8, ge=1, le=100, description="Maximum number of words shown as evidence for a frame of a paragraph."
    )
    champion_poll_seconds: float = Field(
        1.0, gt=0, description="Interval at which a process checks for a new champion."
    )
    server_processes: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes of `framing serve` that answer requests; with an encoder each holds it in memory.",
    )
    threads: int = Field(
        8,
        ge=2,
        description="Requests that a process scores at the same time; further such requests wait, and no others do.",
    )
    scoring_seconds: float = Field(
        120,
        gt=0,
        description="Maximum time from the body of a request to the scores of an encoder; then the request receives "
        "503. Scoring stops at once when the client leaves.",
    )
    scoring_processes: int | None = Field(
        None,
        ge=0,
        description="Additional processes that score articles of hundreds of paragraphs with a model of words (an "
        "encoder uses all cores without them); they start with the first such article and end a minute after the last, "
        "and take about 100 MiB each. Unset: a process per core, at most four; 0 on a single core or with several "
        "server processes.",
    )
    worker: bool = Field(
        True, description="Whether `framing serve` starts a worker; if false, run `framing worker` separately."
    )
    worker_yields: bool = Field(
        True,
        description="Whether the worker uses cores only when nothing else needs them (nice 19, on Linux SCHED_IDLE), "
        "and a single core for a model of words; set it to false on a machine that is reserved for the worker.",
    )
    promotion: Literal["auto", "manual"] = Field(
        "manual", description="Whether a training run promotes its model if the verdict is positive."
    )
    rescore: bool = Field(True, description="Whether stored articles are rescored after a promotion.")
    population: Articles = Field(
        "all_articles",
        description="Which stored articles shares count where a request does not say so: `all_articles`, or "
        "`on_subject`: without those that the model says are about something else. Each figure names its population; "
        "it is `all_articles` as long as the champion cannot tell what an article is about.",
    )
    coding_guess: Literal["after", "before", "never"] = Field(
        "after",
        description="When the coding page may show the model's decision on a paragraph, which the coder can hide; "
        "`before` biases.",
    )
    coding_days: int = Field(
        14,
        ge=0,
        le=3650,
        description="Days that a coder has for the paragraphs that the coding queue drew. After that, the next draw "
        "of anybody returns those that nobody annotated to the pool that is drawn from; 0: they stay with the coder. "
        "What was assigned stays at least until the last day of its assignment.",
    )
    min_alpha: float = Field(
        0.0, ge=0, le=1, description="Minimum of Krippendorff's alpha on each frame; below it, a training run fails."
    )
    retrain_cron: str = Field(
        "", description="Schedule of automatic training runs (cron expression, UTC); empty: none."
    )
    retrain_every: int = Field(
        0, ge=0, description="Number of new annotations after which a training run starts automatically; 0: never."
    )
    idempotency_hours: int = Field(24, ge=1, description="Time in hours for which an Idempotency-Key is stored.")
    log_level: str = Field(
        "info",
        pattern="^(critical|error|warning|info|debug)$",
        description="Lowest level of the log lines that are written.",
    )

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"'{value}' is not valid JSON such as '{{\"names\": true}}'") from error

    @field_validator("allowed_hosts", "trusted_proxies", "outbound_hosts", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        hosts = tuple(host_of(name) for name in names)
        for name, host in zip(names, hosts, strict=True):
            if not host or host_of(f"{name}:80") != host:
                raise ValueError(f"'{name}' is not the name of a host such as framing.example.org, without a port")
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            try:
                ip_network(address)
            except ValueError:
                raise ValueError(
                    f"'{address}' is not an address such as 192.0.2.7 or a network such as 10.0.0.0/8; name your "
                    "proxies, because whoever is believed can claim to be any client. The value may stand in "
                    "FORWARDED_ALLOW_IPS, which is read too"
                ) from None
        return addresses

    @field_validator("models_url")
    @classmethod
    def _store(cls, url: str) -> str:
        if scheme_of(url) != "file":
            try:
                require_store(url)
            except OutboundRefusedError as error:
                raise ValueError(str(error)) from error
        return url

    @field_validator("outbound_hosts")
    @classmethod
    def _destinations(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        policy_of(entries)
        return entries

    @field_validator("admin_key", "model_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and (length := len(key.get_secret_value())) < _KEY_CHARACTERS:
            raise ValueError(
                f"the key has {length} characters, and needs {_KEY_CHARACTERS} or more, at random, such as those of "
                "`openssl rand -hex 32`"
            )
        return key

    @field_validator("retrain_cron")
    @classmethod
    def _cron(cls, expression: str) -> str:
        if not expression:
            return expression
        from croniter import croniter  # noqa: PLC0415 - few installations use a schedule, and all would wait for the import

        if not croniter.is_valid(expression):
            raise ValueError(f"'{expression}' is not a cron expression such as '0 3 * * 1'")
        return expression

    @model_validator(mode="after")
    def _pickles_are_signed(self) -> "Settings":
        if self.allow_pickle and self.model_key is None:
            raise ValueError("FRAMING_ALLOW_PICKLE opens signed pickles only: set FRAMING_MODEL_KEY too")
        return self

    @property
    def trust(self) -> Trust:
        """What of the models folder is believed."""
        return Trust(self.model_key.get_secret_value().encode() if self.model_key else None, self.allow_pickle)

    @property
    def models_location(self) -> Path | str:
        """Folder or URL of the models."""
        return self.models_url or self.data_dir / "models"

    @property
    def cache_dir(self) -> Path:
        """Folder of files that can be made again."""
        return self.data_dir / "cache"

    @property
    def vectors_dir(self) -> Path:
        """Folder of the vectors of annotated paragraphs, which can be made again."""
        return self.data_dir / "vectors"

    @property
    def finetuning_dir(self) -> Path:
        """Folder of the checkpoints of fine-tuning, which is deleted when that has succeeded."""
        return self.data_dir / "finetuning"

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'framing.sqlite3'}"


# The value of a Host header: a name or an address, and perhaps a port.
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9_](?:[a-z0-9._-]{0,252})))(?::\d{0,5})?")


def host_of(value: str) -> str:
    """The name or address in a Host header, in lower case and without port and final dot; empty if there is none."""
    match = _HOST.fullmatch(value.lower())
    return "" if match is None else match["six"] or match["name"].removesuffix(".")


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
