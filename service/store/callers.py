"""Roles, each of which may do all that those before it may, and the caller who has one."""

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["reader", "submitter", "coder", "admin"]
"""Reads dashboards, articles and scores; also classifies and stores; also codes, under its own name; also all else."""

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name and the role of a key. Without any key at all, everybody on this machine is `local`."""

    name: str
    role: Role
    key_id: str | None = None

    def may(self, role: Role) -> bool:
        """Whether this role is at least that one."""
        return ROLES.index(self.role) >= ROLES.index(role)


COMMAND_LINE = Caller("command line", "admin")
"""Whoever may run the commands in the data folder."""
SETTINGS_ADMIN = Caller("admin key of the settings", "admin")
WORKER = Caller("worker", "admin")
LOCAL = Caller("local", "admin")
"""Whoever reaches a server that has no keys, which listens on loopback only."""
