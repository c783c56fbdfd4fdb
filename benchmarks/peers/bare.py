"""The least that a server in Python can do: a send() for each socket and each frame, and nothing else.

`python bare.py PORT FRAME`: whoever asks for a websocket has one; `POST /give?count=N&rate=R` has N frames sent to all of them,
R a second (0: one after the other).
"""

import json
import socket
import struct
import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
GIVEN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ngiven"

port, frame = int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
sequences = count(1)


def message() -> bytes:
    """An event as it goes over the line."""
    event = frame | {"time": datetime.now(UTC).isoformat().replace("+00:00", "Z"), "sequence": f"{next(sequences):012d}"}
    text = ("42/live," + json.dumps(["event", event], separators=(",", ":"))).encode()
    return struct.pack("!BBH", 0x81, 126, len(text)) + text


def main() -> None:
    watching: list[socket.socket] = []
    door = socket.create_server(("127.0.0.1", port), backlog=4096)
    while True:
        connection, _ = door.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = connection.recv(4096).decode()
        if "Upgrade: websocket" in asked:
            connection.sendall(UPGRADED)
            watching.append(connection)
            continue
        if not asked:  # somebody looked whether the door is open
            connection.close()
            continue
        connection.sendall(GIVEN)
        connection.close()
        wanted = parse_qs(urlsplit(asked.split(" ")[1]).query)
        number, rate, begun = int(wanted["count"][0]), float(wanted["rate"][0]), time.monotonic()
        for n in range(number):
            if rate:
                time.sleep(max(0.0, begun + n / rate - time.monotonic()))
            data = message()
            for one in watching:
                one.send(data)


if __name__ == "__main__":
    main()
