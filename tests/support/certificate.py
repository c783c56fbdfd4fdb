"""A certificate of the tests' own, for servers that speak TLS."""

import subprocess
from pathlib import Path

COMMAND = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=mail"]
COMMAND += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


def certificate(folder: Path, address: str) -> Path:
    """A file with a key and the certificate it signed itself, for that IP address."""
    key, signed, both = folder / "key.pem", folder / "signed.pem", folder / "both.pem"
    subprocess.run(
        [*COMMAND, "-keyout", key, "-out", signed, "-addext", f"subjectAltName=IP:{address}"],
        check=True,
        capture_output=True,
    )
    both.write_text(key.read_text() + signed.read_text())
    return both
