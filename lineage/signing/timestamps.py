"""Time stamps of a third party (RFC 3161): that a release's statement was there at a time.

`seal/statement.tsr` is the answer of a time stamping authority over `manifest.dsse.json`, as it
came, so that any tool can check it.  `seal/timestamp.dsse.json` has the digests of both and is
signed with the release's key, so that no byte of the answer is free, even one without a meaning.
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
    """There is no time stamp, or it does not hold; the message says why."""

    exit_code = NO


class BadCertificates(NoTimestamp):
    """A file of certificates that cannot be used; the message says why."""

    exit_code = BAD_USAGE


def request_timestamp(url: str, envelope: bytes) -> bytes:
    """An authority's answer over the bytes of a statement.

    Args:
      url: of the authority, `http:` or `https:`.

    Raises:
      NoTimestamp: where it does not answer in time, refuses, or answers something else.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder(data=envelope, hash_algorithm=HashAlgorithm.SHA256)
    query = builder.build()
    answer = _post(url, query.as_bytes())
    if _read(answer, envelope).tst_info.nonce != query.nonce:
        raise NoTimestamp("the authority answered another question")
    return answer


def sign_answer(answer: bytes, envelope: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope that goes beside an answer."""
    digests = {
        release_files.STATEMENT: sha256(envelope).hexdigest(),
        release_files.TIMESTAMP: sha256(answer).hexdigest(),
    }
    told = {"time": stamped_time(answer, envelope)}
    return dsse.sign(dsse.statement(digests, PREDICATE_TYPE, told), key)


def covered_digests(signed: Any) -> dict[str, str]:
    """SHA-256 by name of what such an envelope's statement is about.

    Raises:
      NoTimestamp: where it is about something else.
    """
    try:
        digests = {one["name"]: str(one["digest"]["sha256"]) for one in signed["subject"]}
        if signed["predicateType"] == PREDICATE_TYPE and set(digests) == {
            release_files.STATEMENT,
            release_files.TIMESTAMP,
        }:
            return digests
    except (LookupError, TypeError):
        pass
    raise NoTimestamp("is a statement about something else than a time stamp")


def stamped_time(answer: bytes, envelope: bytes) -> str:
    """The time that an answer names, in UTC; who says so is not looked at.

    Raises:
      NoTimestamp: where it is no answer over this statement.
    """
    told: datetime = _read(answer, envelope).tst_info.gen_time
    return told.astimezone(UTC).isoformat(timespec="seconds")


def verified_time(answer: bytes, envelope: bytes, trusted: Sequence[x509.Certificate]) -> str:
    """The time of an answer that one of the trusted authorities signed.

    Args:
      trusted: roots (issued by themselves) and what stands between them and the authority.

    Raises:
      NoTimestamp: where it is no answer over this statement, or not theirs.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    roots = [one for one in trusted if one.issuer == one.subject]
    between = [one for one in trusted if one.issuer != one.subject]
    found = _read(answer, envelope)
    try:
        verifier = VerifierBuilder(roots=roots, intermediates=between).build()
        verifier.verify_message(found, envelope)
    except (VerificationError, ValueError) as error:
        raise NoTimestamp(f"does not hold by the certificates named ({error})") from None
    return stamped_time(answer, envelope)


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
      BadCertificates: where it cannot be read, or holds no root.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise BadCertificates(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise BadCertificates(f"{path} holds no certificate in PEM") from None
    if all(one.issuer != one.subject for one in found):
        raise BadCertificates(f"{path} holds no root: add the certificate that issued itself")
    return found


def _read(answer: bytes, envelope: bytes) -> TimeStampResponse:
    from rfc3161_client import PKIStatus, decode_timestamp_response

    try:
        found = decode_timestamp_response(answer)
        granted = found.status == PKIStatus.GRANTED
        about = found.tst_info.message_imprint.message if granted else b""
    except ValueError:
        raise NoTimestamp("is no answer of a time stamping authority") from None
    if not granted:
        raise NoTimestamp(f"the authority refused (status {found.status})")
    if about != sha256(envelope).digest():
        raise NoTimestamp("is a time stamp of something else")
    return found


def _post(url: str, query: bytes) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoTimestamp("an authority's address begins with http:// or https://")
    headers = {"Content-Type": "application/timestamp-query"}
    request = urllib.request.Request(url, query, headers, method="POST")
    answer: Future[bytes] = Future()

    def ask() -> None:
        try:
            answer.set_result(b"".join(_chunks(request)))
        except BaseException as error:
            answer.set_exception(error)

    # a socket's time-out begins anew with each byte, and looking up a name has none
    Thread(target=ask, daemon=True).start()
    try:
        return answer.result(TIMEOUT)
    except (OSError, ValueError, HTTPException) as error:
        raise NoTimestamp(f"the authority does not answer ({type(error).__name__})") from None


def _chunks(request: urllib.request.Request) -> Iterator[bytes]:
    ends, held = time.monotonic() + TIMEOUT, 0
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        while chunk := answer.read1(1 << 16):
            held += len(chunk)
            if held > MAX_BYTES or time.monotonic() > ends:
                raise ValueError("an answer without end")
            yield chunk
