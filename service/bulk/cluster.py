"""A Dask cluster for bulk scoring and for training: `--cluster ADDRESS`, or `local` for processes of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labels.errors import FramingError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 10


class ClusterError(FramingError):
    """No cluster answers at the address, or Dask is not installed."""


@contextmanager
def cluster(address: str, workers: int | None = None) -> "Iterator[Client]":
    """A client of the scheduler at `address`; a `local` cluster ends with the context. Raises `ClusterError`."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ClusterError("Install media-framing[cluster] to use a Dask cluster.") from error
    if address == "local":
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as here,  # type: ignore[no-untyped-call]
            Client(here) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterError(f"No Dask scheduler answers at {address}.") from error
    with client:
        yield client


@contextmanager
def folds_on(address: str | None) -> Iterator[None]:
    """Runs the cross-validation within the context on the cluster; without an address, on this machine."""
    if address is None:
        yield
        return
    import joblib  # noqa: PLC0415

    with cluster(address), joblib.parallel_config("dask"):
        yield
