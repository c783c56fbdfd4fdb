"""PostgreSQL, Redis and nginx of the tests' own, in their own folders and on their own ports; never the system's."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from tests.support.processes import TAIL, Process, free_port
from tests.support.programs import NGINX, POSTGRESQL, REDIS

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "nginx"
GATEWAYS = ("proxy", "fastcgi", "uwsgi", "scgi")


def ordinary_user() -> dict[str, Any]:
    """As whom PostgreSQL runs, in the words of Popen: as ourselves, unless we are root, for whom it refuses to run."""
    if os.geteuid() != 0:
        return {}
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def memory() -> str | None:
    """A folder in memory, if there is one with room: a new database comes ten times as fast there. None: on disk."""
    folder = "/dev/shm"  # noqa: S108 (only asked for its size; what is made in it has a name nobody knows)
    return folder if os.path.isdir(folder) and shutil.disk_usage(folder).free > 2**30 else None


class Cluster:
    """A PostgreSQL that answers on that port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"postgresql://hub@127.0.0.1:{port}"

    def execute(self, statement: str) -> None:
        with closing(psycopg2.connect(f"{self.url}/postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


class Postgres(Process, Cluster):
    """A cluster. `durable` keeps it on the disk and waits for it, as in production; nearly no test needs that."""

    polite = signal.SIGINT  # ends open connections instead of waiting for them
    rude = signal.SIGQUIT  # ends at once, and recovers from its log at the next start

    def __init__(self, *, durable: bool = False):
        program = POSTGRESQL.need().resolve()  # beside it stands `initdb`
        identity = ordinary_user()
        # Not in pytest's own folder, which is closed to other users; short, for its socket's path has a limit.
        folder = Path(tempfile.mkdtemp(prefix="hub-pg-", dir=None if durable else memory()))
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        Cluster.__init__(self, free_port())
        data = folder / "data"
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "max_connections": 400}
        if not durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        super().__init__([program, "-D", data, "-p", str(self.port), *options], folder, identity=identity)
        subprocess.run(
            [program.parent / "initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            cwd=folder,
            check=True,
            capture_output=True,
            **identity,
        )

    def answers(self) -> bool:
        try:
            psycopg2.connect(f"{self.url}/postgres", connect_timeout=1).close()
        except psycopg2.OperationalError:
            return False
        return True

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


class Redis(Process):
    """Keeps nothing: what the hub asks of it may be lost at any time."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([REDIS.need(), *options], folder)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


class Nginx(Process):
    """The configuration of `deploy/nginx/` with ports and paths of the tests, in front of servers on those ports."""

    polite = signal.SIGQUIT  # finishes what is under way
    rude = signal.SIGTERM  # ends at once; killed outright, it would leave its workers behind

    def __init__(self, folder: Path, ports: Sequence[int]):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.maintenance = folder / "maintenance"
        folder.mkdir(exist_ok=True)
        text = (DEPLOY / "nginx.conf").read_text()
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", *GATEWAYS))
        changes = {
            "listen 80 default_server;": f"listen 127.0.0.1:{self.port} default_server; listen 127.0.0.2:{self.port};",
            "/etc/ideas-hub/maintenance": str(self.maintenance),
            "/opt/ideas-hub": str(DEPLOY.parent.parent),
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx": str(folder),
            "worker_processes auto;": "worker_processes 2;" + (" user root;" if os.geteuid() == 0 else ""),
            "http {\n": f"http {{\n    {temporary}\n",
        }
        for ours, of_the_tests in changes.items():
            assert ours in text, f"nginx.conf has no {ours!r} any more"
            text = text.replace(ours, of_the_tests)
        (folder / "nginx.conf").write_text(text)
        one = (DEPLOY / "servers.conf").read_text().splitlines()[1]
        assert one.startswith("server 127.0.0.1:8001 ")
        (folder / "servers.conf").write_text("\n".join(one.replace("8001", str(port)) for port in ports))
        command = [NGINX.need(), "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"]
        super().__init__(command, folder)

    def check(self) -> None:
        """What `nginx -t` says of it; raises CalledProcessError."""
        subprocess.run([*self.command[:-2], "-t"], check=True, capture_output=True)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def tail(self) -> str:
        return super().tail() + (self.folder / "error.log").read_text(errors="replace")[-TAIL:]
