"""A bad network: a proxy in front of a server that can refuse websockets, swallow what the server says, and go away."""

import socket
import socketserver
import threading
from contextlib import suppress

from tests.support.processes import free_port

FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """`Server(behind=proxy)` puts it in front. Its switches act on open connections too.

    `websockets=False`: answers 403 to whoever asks to upgrade, and passes everything else.
    `breaking="swallow"`: lets websockets open, and throws away all that they bring; `"cut"`: closes them instead.
    `swallowing=True`: reads what the server sends and throws it away, while connections stay open and what browsers
    send still arrives. It goes by what is read at once, so small frames vanish whole.
    `cutting=True`: hangs up when the server begins to say something: what was asked arrived, and nobody learns what came of it.
    """

    def __init__(self, *, websockets: bool = True, breaking: str = ""):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.target = 0
        self.websockets, self.breaking = websockets, breaking
        self.swallowing = False
        self.cutting = False
        self.listener: _Listener | None = None
        self.open: set[socket.socket] = set()

    def start(self) -> None:
        self.listener = _Listener(self)
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse new connections and cut those that are open. Twice is harmless."""
        if self.listener:
            self.listener.shutdown()
            self.listener.server_close()
            self.listener = None
        for connection in list(self.open):
            hang_up(connection)

    def serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := client.recv(65_536)):
                return
            head += data
        upgrades = b"\nupgrade:" in head.lower()
        if not self.websockets and upgrades:
            client.sendall(FORBIDDEN)
            return
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            self.open |= {client, server}
            server.sendall(head)
            upwards = threading.Thread(target=self.pass_on, args=(client, server), daemon=True)
            upwards.start()
            if upgrades and self.breaking:
                client.sendall(server.recv(65_536).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")  # "101 Switching Protocols"
                while self.breaking == "swallow" and server.recv(65_536):
                    pass
                hang_up(server)
                hang_up(client)
            self.pass_on(server, client, may_swallow=True)
            upwards.join()
            self.open -= {client, server}

    def pass_on(self, source: socket.socket, sink: socket.socket, *, may_swallow: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if may_swallow and self.cutting:
                    break
                if not (may_swallow and self.swallowing):
                    sink.sendall(data)
        hang_up(source)
        hang_up(sink)


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, proxy: Proxy):
        self.proxy = proxy
        super().__init__(("127.0.0.1", proxy.port), socketserver.BaseRequestHandler)

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        with suppress(OSError):  # either end may go at any time
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.proxy.serve(request)


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
