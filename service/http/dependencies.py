"""What the routes share: made once a process by `create_app`, handed to each route as `State`."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from labels.codebook import Codebook
from service.access.gate import Gate
from service.articles.ingest import Receipt, Submission
from service.articles.scoring_pool import Helpers
from service.metrics import Metrics
from service.models.champion import Champion
from service.pages.assets import ChartFiles
from service.settings import Settings
from service.store.sql.database import Database
from service.store.sql.group_commit import GroupCommit
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running service."""

    settings: Settings
    codebook: Codebook
    database: Database
    registry: Registry
    champion: Champion
    metrics: Metrics
    charts: ChartFiles
    gate: Gate
    helpers: Helpers
    submissions: GroupCommit[Submission, Receipt]


async def _services(request: Request) -> Services:  # a plain one would be sent to a thread of its own
    return cast(Services, request.app.state.services)


State = Annotated[Services, Depends(_services)]
