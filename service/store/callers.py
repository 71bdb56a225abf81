"""Callers and their roles. Each role may do everything that the roles before it may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

# reader: reads dashboards, articles and scores. submitter: also classifies and stores articles. coder: also annotates,
# under its own name. admin: everything.
Role = Literal["reader", "submitter", "coder", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

# The roles that include each role.
INCLUDING: Mapping[Role, tuple[Role, ...]] = {role: ROLES[ROLES.index(role) :] for role in ROLES}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: name and role of a key. Without any key, everybody on this machine is `local`."""

    name: str
    role: Role
    key_id: str | None = None

    def may(self, role: Role) -> bool:
        """Whether the caller's role includes the role."""
        return self.role in INCLUDING[role]


# Whoever may run the commands in the data folder.
COMMAND_LINE = Caller("command line", "admin")
SETTINGS_ADMIN = Caller("admin key of the settings", "admin")
WORKER = Caller("worker", "admin")
# Whoever reaches a server without keys, which listens on loopback only.
LOCAL = Caller("local", "admin")
