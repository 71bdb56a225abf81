"""Why somebody is not let in."""

from labels.errors import FramingError


class UnauthorizedError(FramingError):
    """No key, or none that works."""

    def __init__(self, detail: str = "This needs a key: send it as `Authorization: Bearer framing_…`.") -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(FramingError):
    """The key does not allow this."""


class RateLimitedError(FramingError):
    """Too much was asked in a minute; the next one begins in `seconds`."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(f"{detail}; go on in {seconds} seconds.")
        self.headers = {"Retry-After": str(seconds)}


class OpenServerError(FramingError):
    """The server was to listen where others could reach it, without any key."""
