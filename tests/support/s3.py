"""An S3 server on loopback, for tests of a model registry at an `s3://` URL."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def s3_server() -> Iterator[str]:
    """Runs a server and yields its URL; S3 clients here and in child processes use it, by environment variables."""
    from moto.server import ThreadedMotoServer  # slow to import, and few tests need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with patch.dict(os.environ, variables):
        yield variables["AWS_ENDPOINT_URL"]
    server.stop()


def new_bucket() -> str:
    """Creates a bucket and returns the URL of an empty folder in it."""
    import s3fs  # slow to import, and few tests need it

    name = f"models-{uuid.uuid4().hex}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
    return f"s3://{name}/somewhere"
