"""What stands in `deploy/` besides nginx: as far as it can be tried without systemd and a container engine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.hub import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
EXAMPLES = [ROOT / "deploy" / "environment.example", ROOT / "deploy" / "compose" / "environment.example"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed (Debian: apt-get install systemd)")
def test_systemd_understands_every_unit(tmp_path: Path):
    names = []
    for unit in UNITS:
        name = unit.name.replace("@", "@8001")
        text = unit.read_text().replace("/opt/ideas-hub/.venv/bin/", "/usr/bin/env ")
        (tmp_path / name).write_text(text)
        (tmp_path / unit.name).write_text(text)
        names.append(name)
    said = subprocess.run(["systemd-analyze", "verify", *(f"./{name}" for name in names)], cwd=tmp_path, capture_output=True)
    assert (said.returncode, said.stderr.decode()) == (0, "")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_name_settings_that_there_are_and_no_secret(example: Path):
    known = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))
    given = dict(re.findall(r"^IDEAS_HUB_([A-Z_]+)=(.*)$", example.read_text(), re.MULTILINE))
    assert set(given) <= known
    assert given["SECRET_KEY"] == ""
