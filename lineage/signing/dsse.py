"""Signed statements: an in-toto Statement v1 in a DSSE envelope, signed with Ed25519.

An envelope has one valid form: canonical JSON, strict base64, one signature that names its key.
`keyid` is not signed, so it must equal the digest of the key.  No byte can be changed unnoticed.

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
    """An envelope is malformed or its signature is invalid; the message says which."""

    exit_code = NO


def statement(subjects: Mapping[str, str], predicate_type: str, predicate: Any) -> dict[str, Any]:
    """Build a statement about files; `subjects` maps their names to SHA-256 (hex)."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": n, "digest": {"sha256": d}} for n, d in sorted(subjects.items())],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def sign(value: Any, key: Ed25519PrivateKey) -> bytes:
    """Sign a statement; return the bytes of the envelope's file."""
    payload = canonical_json(value).encode()
    return _envelope(payload, key_id(key.public_key()), key.sign(_pre_authentication(payload)))


def open_envelope(envelope: bytes, key: Ed25519PublicKey) -> Any:
    """Verify an envelope with `key` and return its statement.

    Raises:
      BadEnvelope: if the form is not canonical, the key is another, or the signature is invalid.
    """
    try:
        fields = json.loads(envelope)
        payload = base64.b64decode(fields["payload"], validate=True)
        signature = base64.b64decode(fields["signatures"][0]["sig"], validate=True)
        signer = fields["signatures"][0]["keyid"]
        canonical = _envelope(payload, signer, signature) == envelope
    except (ValueError, LookupError, TypeError, binascii.Error, RecursionError):
        raise BadEnvelope("is not a signed statement") from None
    if not canonical:
        raise BadEnvelope("is not in the canonical form of a signed statement")
    if signer != key_id(key):
        raise BadEnvelope(f"was signed with another key ({signer})")
    try:
        key.verify(signature, _pre_authentication(payload))
    except InvalidSignature:
        raise BadEnvelope("has an invalid signature") from None
    value = json.loads(payload)
    if canonical_json(value).encode() != payload:
        raise BadEnvelope("has a payload that is not canonical JSON")
    return value


def _pre_authentication(payload: bytes) -> bytes:
    """The bytes that are signed: the pre-authentication encoding (PAE) of DSSE."""
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
