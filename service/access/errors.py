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
    """The key made too many requests."""

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(f"This key may make {limit} requests a minute; go on in {seconds} seconds.")
        self.headers = {"Retry-After": str(seconds)}


class OpenServerError(FramingError):
    """The server was to listen where others could reach it, without any key."""
