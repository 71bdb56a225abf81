"""A web server on loopback that answers as it is scripted to, byte by byte, and counts who connected."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Web:
    """The server's port, the pieces of its answers by path, and the requests that came."""

    port: int
    answers: dict[str, Iterable[bytes]] = field(default_factory=dict)
    pause: float = 0.0
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        self.answers[path] = [f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()]

    def answer(self, path: str, content: bytes, *headers: str) -> None:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(content)}", *headers, "", ""]
        self.answers[path] = ["\r\n".join(lines).encode() + content]

    def _encrypted(self, connection: socket.socket) -> socket.socket:
        assert self.tls is not None
        with connection:
            return self.tls.wrap_socket(connection, server_side=True)

    def serve(self, accepted: socket.socket) -> None:
        with suppress(OSError), accepted if self.tls is None else self._encrypted(accepted) as connection:
            text = b""
            while b"\r\n\r\n" not in text and (piece := connection.recv(65536)):
                text += piece
            request = text.decode("latin-1")
            self.requests.append(request)
            path = request.split(" ", 2)[1] if request.count(" ") >= 2 else ""
            for piece in self.answers.get(path, [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]):
                connection.sendall(piece)
                time.sleep(self.pause)


@contextmanager
def web_server(address: str = "127.0.0.1") -> Iterator[Web]:
    """Runs a server with an empty script."""
    with socket.create_server((address, 0)) as listening:
        web = Web(listening.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    web.connections += 1
                    threading.Thread(target=web.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield web
        listening.shutdown(socket.SHUT_RDWR)
