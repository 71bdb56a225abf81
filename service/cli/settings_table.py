"""The table of settings, made from the settings themselves."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from service.settings import Settings
from training.reports.card import table

_PACKAGE = Path(__file__).parents[2]


def settings_rows(settings: Settings) -> list[dict[str, Any]]:
    """Name, meaning and present value of every setting."""
    return [
        {"name": _variable(name), "meaning": field.description, "value": _shown(getattr(settings, name))}
        for name, field in Settings.model_fields.items()
    ]


def settings_table() -> str:
    """The settings as a Markdown document, with their defaults."""
    rows = [
        [f"`{_variable(name)}`", _default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return (
        "# Settings\n\nEnvironment variables, or lines of a file `.env` in the working folder. "
        "Made by `framing settings`.\n\n" + table(["Variable", "Default", "Meaning"], rows)
    )


def _variable(name: str) -> str:
    return f"FRAMING_{name.upper()}"


def _default(value: Any) -> str:
    if isinstance(value, Path):
        return f"`{value.relative_to(_PACKAGE) if value.is_relative_to(_PACKAGE) else value}`"
    return f"`{_shown(value).lower() if isinstance(value, bool) else _shown(value)}`" if value != "" else "none"


def _shown(value: Any) -> str:
    return value.model_dump_json(exclude_none=True) if isinstance(value, BaseModel) else str(value)
