"""Signed statements: in-toto's Statement v1 in a DSSE envelope, by Ed25519.

An envelope has one form only: canonical JSON, strict base64, one signature that names its key.
What is not under the signature (`keyid`) must be what the key says, so that no byte is free.

Sources: DSSE protocol 1.0 (secure-systems-lab/dsse), in-toto attestation Statement v1, RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lineage.signing.keys import key_id
from schemas.canonical import canonical_json
from schemas.errors import NO, TamgaError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


class BadEnvelope(TamgaError):
    """An envelope that is none, or whose signature does not hold; the message says which."""

    exit_code = NO


def statement(subjects: Mapping[str, str], predicate_type: str, predicate: Any) -> dict[str, Any]:
    """A statement about files: `subjects` has their SHA-256 (hex) by name."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": n, "digest": {"sha256": d}} for n, d in sorted(subjects.items())],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def sign(value: Any, key: Ed25519PrivateKey) -> bytes:
    """The envelope of a statement, as the bytes of its file."""
    payload = canonical_json(value).encode()
    return _envelope(payload, key_id(key.public_key()), key.sign(_pre_authentication(payload)))


def open_envelope(envelope: bytes, key: Ed25519PublicKey) -> Any:
    """The statement in an envelope that `key` signed.

    Raises:
      BadEnvelope: where it is not in its one form, of another key, or not what was signed.
    """
    try:
        read = json.loads(envelope)
        payload = base64.b64decode(read["payload"], validate=True)
        signature = base64.b64decode(read["signatures"][0]["sig"], validate=True)
        named = read["signatures"][0]["keyid"]
        same = _envelope(payload, named, signature) == envelope
    except (ValueError, LookupError, TypeError, binascii.Error, RecursionError):
        raise BadEnvelope("is no signed statement") from None
    if not same:
        raise BadEnvelope("is not in the canonical form of a signed statement")
    if named != key_id(key):
        raise BadEnvelope(f"was signed with another key ({named})")
    try:
        key.verify(signature, _pre_authentication(payload))
    except InvalidSignature:
        raise BadEnvelope("has a signature that does not hold") from None
    value = json.loads(payload)
    if canonical_json(value).encode() != payload:
        raise BadEnvelope("has a payload that is not canonical JSON")
    return value


def _pre_authentication(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    return b"DSSEv1 %d %s %d %s" % (
        len(PAYLOAD_TYPE),
        PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )


def _envelope(payload: bytes, keyid: str, signature: bytes) -> bytes:
    value = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return canonical_json(value).encode() + b"\n"
