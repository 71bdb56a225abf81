"""What the routes share: made once a process by `create_app`, handed to each route as `State`."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from labels.codebook import Codebook
from service.access.gate import Gate
from service.champion import Champion
from service.helpers import Helpers
from service.ingest import Receipt, Submission
from service.metrics import Metrics
from service.pages.assets import ChartFiles
from service.settings import Settings
from service.store.database import Database
from service.store.group_commit import GroupCommit
from training.registry import Registry


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
