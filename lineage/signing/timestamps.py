"""Time stamps of a third party (RFC 3161): proof that a release's statement existed at a time.

`seal/statement.tsr` is the unchanged answer of a time stamping authority for `manifest.dsse.json`,
so any tool can check it.  `seal/timestamp.dsse.json` holds the digests of both files and is signed
with the release's key.  So no byte of the answer can change unnoticed, even one without a meaning.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage.signing import dsse
from lineage.storage import release_files
from schemas.errors import BAD_USAGE, NO, TamgaError

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

PREDICATE_TYPE: Final = "urn:tamga:timestamp:v1"
TIMEOUT: Final = 10.0  # seconds, for the whole answer
MAX_BYTES: Final = 1 << 20


class NoTimestamp(TamgaError):
    """A time stamp is missing or not valid; the message says why."""

    exit_code = NO


class BadCertificates(NoTimestamp):
    """A file of certificates cannot be used; the message says why."""

    exit_code = BAD_USAGE


def request_timestamp(url: str, envelope: bytes) -> bytes:
    """Request a time stamp for the bytes of a statement; return the authority's answer.

    Args:
      url: the address of the authority, `http:` or `https:`.
      envelope: the bytes of `manifest.dsse.json`.

    Raises:
      NoTimestamp: if the authority does not answer in time, refuses, or sends another answer.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder(data=envelope, hash_algorithm=HashAlgorithm.SHA256)
    query = builder.build()
    answer = _post(url, query.as_bytes())
    if _read(answer, envelope).tst_info.nonce != query.nonce:
        raise NoTimestamp("the authority's response does not match the request")
    return answer


def sign_answer(answer: bytes, envelope: bytes, key: Ed25519PrivateKey) -> bytes:
    """Sign the digests of an answer and of the statement that it stamps; return the envelope."""
    digests = {
        release_files.STATEMENT: sha256(envelope).hexdigest(),
        release_files.TIMESTAMP: sha256(answer).hexdigest(),
    }
    predicate = {"time": stamped_time(answer, envelope)}
    return dsse.sign(dsse.statement(digests, PREDICATE_TYPE, predicate), key)


def covered_digests(signed: Any) -> dict[str, str]:
    """The SHA-256 by name of the files that a time stamp's statement covers.

    Args:
      signed: the statement of `seal/timestamp.dsse.json`.

    Raises:
      NoTimestamp: if the statement is about something else.
    """
    try:
        digests = {file["name"]: str(file["digest"]["sha256"]) for file in signed["subject"]}
        if signed["predicateType"] == PREDICATE_TYPE and set(digests) == {
            release_files.STATEMENT,
            release_files.TIMESTAMP,
        }:
            return digests
    except (LookupError, TypeError):
        pass
    raise NoTimestamp("is not a statement about a time stamp")


def stamped_time(answer: bytes, envelope: bytes) -> str:
    """The time that an answer names, in UTC.  Its signature is not verified.

    Raises:
      NoTimestamp: if it is not an answer for this statement.
    """
    time_of_stamp: datetime = _read(answer, envelope).tst_info.gen_time
    return time_of_stamp.astimezone(UTC).isoformat(timespec="seconds")


def verified_time(answer: bytes, envelope: bytes, trusted: Sequence[x509.Certificate]) -> str:
    """Verify that a trusted authority signed an answer; return the time that it names.

    Args:
      answer: the authority's answer.
      envelope: the bytes that it stamps.
      trusted: root certificates (issued by themselves) and intermediate ones.

    Raises:
      NoTimestamp: if it is not an answer for this statement, or not signed by such an authority.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    roots = [one for one in trusted if one.issuer == one.subject]
    intermediates = [one for one in trusted if one.issuer != one.subject]
    response = _read(answer, envelope)
    try:
        verifier = VerifierBuilder(roots=roots, intermediates=intermediates).build()
        verifier.verify_message(response, envelope)
    except (VerificationError, ValueError) as error:
        raise NoTimestamp(f"does not verify with the given certificates ({error})") from None
    return stamped_time(answer, envelope)


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Load the certificates of a PEM file.

    Raises:
      BadCertificates: if it cannot be read, or has no root certificate.
    """
    try:
        loaded = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise BadCertificates(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise BadCertificates(f"{path} holds no certificate in PEM") from None
    if all(one.issuer != one.subject for one in loaded):
        raise BadCertificates(f"{path} holds no root: add the certificate that issued itself")
    return loaded


def _read(answer: bytes, envelope: bytes) -> TimeStampResponse:
    from rfc3161_client import PKIStatus, decode_timestamp_response

    """Decode an answer, and check that it stamps `envelope`."""
    try:
        response = decode_timestamp_response(answer)
        granted = response.status == PKIStatus.GRANTED
        imprint = response.tst_info.message_imprint.message if granted else b""
    except ValueError:
        raise NoTimestamp("is not an answer of a time stamping authority") from None
    if not granted:
        raise NoTimestamp(f"the authority refused (status {response.status})")
    if imprint != sha256(envelope).digest():
        raise NoTimestamp("is a time stamp of something else")
    return response


def _post(url: str, query: bytes) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoTimestamp("the authority's address must begin with http:// or https://")
    headers = {"Content-Type": "application/timestamp-query"}
    request = urllib.request.Request(url, query, headers, method="POST")
    answer: Future[bytes] = Future()

    def ask() -> None:
        try:
            answer.set_result(b"".join(_chunks(request)))
        except BaseException as error:
            answer.set_exception(error)

    # a socket's time-out restarts with each byte, and a name look-up has none
    Thread(target=ask, daemon=True).start()
    try:
        return answer.result(TIMEOUT)
    except (OSError, ValueError, HTTPException) as error:
        raise NoTimestamp(f"the authority does not answer ({type(error).__name__})") from None


def _chunks(request: urllib.request.Request) -> Iterator[bytes]:
    deadline, length = time.monotonic() + TIMEOUT, 0
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        while chunk := answer.read1(1 << 16):
            length += len(chunk)
            if length > MAX_BYTES or time.monotonic() > deadline:
                raise ValueError("the answer is too long or too slow")
            yield chunk
