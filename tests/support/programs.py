"""The programs of the system that some tests need: where they are, and how they come here.

`python -m tests.support.programs` installs what is missing, where that can be done without asking anybody.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    commands: tuple[str, ...]
    package: str  # of Debian

    def find(self) -> Path | None:
        """Debian keeps the programs of PostgreSQL off the PATH, in a folder for each version: take the newest."""
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        places = [None, *(str(bin) for bin in sorted(versions, key=lambda bin: float(bin.parent.name), reverse=True))]
        places += ["/usr/sbin"]  # nginx
        found = (shutil.which(command, path=place) for place in places for command in self.commands)
        return next((Path(path) for path in found if path), None)

    def need(self) -> Path:
        """Where it is. Without it the test is skipped, or fails where CI=true: there nothing may go untested."""
        if path := self.find():
            return path
        if os.environ.get("CI") == "true":
            pytest.fail(self.absence, pytrace=False)
        pytest.skip(self.absence)

    @property
    def absence(self) -> str:
        return f"{self.name} is not installed (Debian: apt-get install {self.package})"


WITHOUT_A_SCREEN = "chromium-headless-shell"  # the same Chromium, and pages come in a third of the time
CHROMIUM = Program(
    "Chromium", (WITHOUT_A_SCREEN, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "chromium"
)
POSTGRESQL = Program("PostgreSQL", ("postgres",), "postgresql")
REDIS = Program("Redis", ("redis-server",), "redis-server")
NGINX = Program("nginx", ("nginx",), "nginx-light")
NODE = Program("Node.js", ("node",), "nodejs")
CURL = Program("curl", ("curl",), "curl")
CC = Program("A C compiler", ("cc",), "build-essential")
STRACE = Program("strace", ("strace",), "strace")
PROGRAMS = (CHROMIUM, POSTGRESQL, REDIS, NGINX, NODE, CURL, CC, STRACE)


def is_offered(package: str) -> bool:
    """Whether Debian's packages of this machine are known to hold it."""
    known = shutil.which("apt-cache")
    return known is not None and subprocess.run([known, "show", package], capture_output=True).returncode == 0


def install(packages: list[str]) -> None:
    """Have Debian's packages installed, if this person is root or may become it without a password."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (root and (not shutil.which("sudo") or subprocess.run([*root, "true"]).returncode)):
        return
    print("Installing from the system's packages:", *packages)
    silent = {"check": False, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"]
    subprocess.run([*apt, "update"], **silent)
    for package in packages:  # one by one: what one distribution lacks does not keep the others away
        subprocess.run([*apt, "install", "--no-install-recommends", package], **silent)


if __name__ == "__main__":
    missing = [program.package for program in PROGRAMS if not program.find()]
    if not shutil.which(WITHOUT_A_SCREEN) and is_offered(WITHOUT_A_SCREEN):
        missing = [package for package in missing if package != CHROMIUM.package] + [WITHOUT_A_SCREEN]
    if missing:
        install(missing)
