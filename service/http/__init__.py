"""What is HTTP and nothing else: bodies, problem details, overload, the OpenAPI document, dependencies of routes.

Registers the kinds of path parameters (`{id:id}`, `{version:version}`, `{version:model}`) that route modules use.
"""

from starlette.convertors import Convertor, register_url_convertor

from service.schemas.fields import ID, VERSION


class _Name(Convertor[str]):
    """A part of an address that stays a string."""

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Id(_Name):
    regex = ID


class _Version(_Name):
    regex = VERSION


class _VersionOrChampion(_Name):
    regex = f"champion|{VERSION}"


# So that `export` in /v1/annotations/export is not read as the id of /v1/annotations/{id}.
register_url_convertor("id", _Id())
register_url_convertor("version", _Version())
register_url_convertor("model", _VersionOrChampion())
