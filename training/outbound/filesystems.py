"""Files at URLs, opened by fsspec: object stores and web servers, whose connections are held to the policy.

The clients of Google and Azure make their connections themselves, to the hosts of these companies; a firewall can hold
them. Other protocols that fsspec knows are refused.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from training.errors import OutboundError, OutboundRefusedError
from training.outbound.policy import Destination, Policy, policy_of_place, port_of

_WEB = ("http", "https")
_S3 = ("s3", "s3a")
# Stores whose clients can write a file only if it does not exist.
STORES = (*_S3, "gs", "gcs", "abfs", "abfss", "az", "memory")
_LOCAL = ("file", "local", "memory", "zip")
_AMAZON = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu")


def scheme_of(url: str) -> str:
    """Returns the scheme of a URL, in small letters; `file` for a path."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator else "file"


def require_store(url: str) -> None:
    """Raises `OutboundRefusedError` for a URL that is no object store."""
    if scheme_of(url) not in STORES or "::" in url:
        shown = ", ".join(f"{scheme}://" for scheme in STORES[:-1])
        raise OutboundRefusedError(
            f"{url} is not a place for files that are shared: that is a folder, or a URL that begins with {shown}."
        )


def filesystem_at(url: str, **options: Any) -> tuple[Any, str]:
    """Returns the filesystem of a store and the path within it; raises `OutboundRefusedError` for other places."""
    import fsspec  # noqa: PLC0415 - only needed for files at a URL

    require_store(url)
    checked = options_for(url).get(scheme_of(url), {})
    filesystem, root = fsspec.url_to_fs(url, **checked, **options)
    return filesystem, str(root)


def options_for(url: str, named: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Returns what fsspec must be given, by protocol, to open a URL; its host and those `named` may be reached.

    The same URL has the same options, so that its connections are used again. Raises `OutboundRefusedError`.
    """
    options: dict[str, dict[str, Any]] = {}
    for link in url.split("::"):
        scheme = scheme_of(link)
        if scheme in _WEB:
            parts = urlsplit(link)
            options[scheme] = _web_options(f"{scheme}://{parts.netloc.rpartition('@')[2]}", tuple(named))
        elif scheme in _S3:
            options[scheme] = _s3_options(_s3_endpoint(), _proxies())
        elif scheme not in (*STORES, *_LOCAL):
            raise OutboundRefusedError(f"{scheme}:// is not a kind of place that files are read from.")
    return options


@lru_cache(maxsize=64)
def _web_options(place: str, named: tuple[str, ...]) -> dict[str, Any]:
    from training.outbound.connections import WebClient  # noqa: PLC0415 - aiohttp is only there with a client that uses it

    return {"get_client": WebClient(policy_of_place(place, named))}


@lru_cache(maxsize=8)
def _s3_options(endpoint: str | None, proxies: tuple[str, ...]) -> dict[str, Any]:
    from training.outbound.connections import connector_options  # noqa: PLC0415 - as above

    return {"config_kwargs": {"connector_args": connector_options(_s3_policy(endpoint, proxies))}}


def _s3_policy(endpoint: str | None, proxies: tuple[str, ...]) -> Policy:
    """Permits the store at the endpoint, or Amazon's hosts, and the proxies through which clients of S3 reach them."""
    destinations = [place for proxy in proxies for place in policy_of_place(proxy).destinations]
    if endpoint is None:
        amazon = (Destination("https", f"*.{domain}", 443, anywhere=True) for domain in _AMAZON)
        return Policy((*destinations, *amazon))
    parts = urlsplit(endpoint)
    store = policy_of_place(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}").destinations
    buckets = Destination(parts.scheme, f"*.{store[0].host}", port_of(parts), anywhere=True)
    return Policy((*destinations, *store, buckets))


def _s3_endpoint() -> str | None:
    """Returns the store that the operator's settings of S3 name, by environment, profile or fsspec."""
    import fsspec  # noqa: PLC0415 - as above
    from botocore.configprovider import ConfiguredEndpointProvider  # noqa: PLC0415 - comes with s3fs
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    own = fsspec.config.conf.get("s3", {})
    if endpoint := own.get("endpoint_url") or own.get("client_kwargs", {}).get("endpoint_url"):
        return str(endpoint)
    session = get_session()
    try:
        if session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        configured = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "s3").provide()
    except BotoCoreError as error:
        raise OutboundError(f"The settings of S3 cannot be read: {error}.") from error
    return None if configured is None else str(configured)


def _proxies() -> tuple[str, ...]:
    """The proxies that the environment names."""
    from urllib.request import getproxies  # noqa: PLC0415 - only for S3

    return tuple(sorted({_without_user(url) for scheme, url in getproxies().items() if scheme in _WEB}))


def _without_user(url: str) -> str:
    scheme, _, rest = url.rpartition("://")
    return f"{scheme or 'http'}://{rest.rpartition('@')[2]}"
