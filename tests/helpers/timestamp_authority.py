"""A local time stamping authority: `openssl ts` behind an HTTP server on this machine."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@cache
def can_stamp() -> bool:
    """Whether this machine's openssl makes time stamps."""
    openssl = shutil.which("openssl")
    return (
        bool(openssl)
        and not subprocess.run(
            [str(openssl), "ts", "-help"], capture_output=True, check=False
        ).returncode
    )


@dataclass
class Authority:
    """`folder` holds `root.pem` and what openssl needs; `url` asks it for stamps."""

    folder: Path
    url: str = ""
    status: int = 200

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def answer(self, query: bytes) -> bytes:
        """Answer a query (RFC 3161)."""
        (self.folder / "query").write_bytes(query)
        asked = ("-config", "tsa.cnf", "-section", "one", "-queryfile", "query", "-out", "answer")
        command = ["openssl", "ts", "-reply", *asked]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "answer").read_bytes()


@contextmanager
def run_authority(folder: Path) -> Iterator[Authority]:
    """Run an authority on this machine, with its own root certificate."""
    if not can_stamp():
        pytest.skip("openssl with `ts` is not here")
    folder.mkdir(parents=True, exist_ok=True)
    _certified(folder)
    authority = Authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            self.send_response(authority.status)
            self.end_headers()
            self.wfile.write(authority.answer(query))

        def log_message(self, *words: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()


def _certified(folder: Path) -> None:
    """Write a root certificate, and the authority's key and certificate under it (RFC 3161, 2.3)."""
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = x509.BasicConstraints(ca=True, path_length=None)
    stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    for name, subject, key, extension in (
        ("root.pem", "Root", root, ca),
        ("tsa.pem", "Authority", own, stamps),
    ):
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named("Root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(extension, critical=True)
            .sign(root, hashes.SHA256())
        )
        (folder / name).write_bytes(certificate.public_bytes(forms.Encoding.PEM))
    pem = own.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    (folder / "tsa.key").write_bytes(pem)
    (folder / "tsa.cnf").write_text(CONFIG)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
