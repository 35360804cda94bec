"""Ed25519 keys: from a file or the environment, else generated once among the work files."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lineage.storage import disk
from schemas.errors import BAD_USAGE, TamgaError

#: An environment variable: the path of the signing key's file, or the key itself in PEM.
ENVIRONMENT = "TAMGA_SIGNING_KEY"


class BadKey(TamgaError):
    """A key is missing or is not an Ed25519 key; the message names its place."""

    exit_code = BAD_USAGE


def signing_key(named: Path | None, keys: Path) -> Ed25519PrivateKey:
    """Load the key that signs releases.

    Args:
      named: the file that the parameters name (PEM, PKCS #8); None: they name none.
      keys: the folder of keys.  A key is generated there if neither the environment nor the
        parameters name one.

    Raises:
      BadKey: if the key cannot be read, or is not an Ed25519 key.
    """
    value = os.environ.get(ENVIRONMENT, "")
    if "-----BEGIN" in value:
        return _private_key(value.encode(), ENVIRONMENT)
    path = Path(value) if value else named
    if path is None:
        return _work_key(keys / "signing.key")
    return _private_key(_read(path), str(path))


def is_generated(named: Path | None) -> bool:
    """Whether `signing_key` uses the key that was generated under `work/keys`."""
    return named is None and not os.environ.get(ENVIRONMENT)


def public_key(path: Path) -> Ed25519PublicKey:
    """Load the public key from a PEM file.

    Raises:
      BadKey: if it cannot be read, or is not an Ed25519 key.
    """
    try:
        key = forms.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(f"{path}: the file has no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path}: the public key is not an Ed25519 key")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key in PEM (SubjectPublicKeyInfo)."""
    return key.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a key in signatures: the SHA-256 of its 32 raw bytes, hex."""
    return sha256(key.public_bytes(forms.Encoding.Raw, forms.PublicFormat.Raw)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadKey(f"{path}: the key cannot be read ({error.strerror})") from None


def _private_key(pem: bytes, place: str) -> Ed25519PrivateKey:
    try:
        key = forms.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey(f"{place}: there is no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{place}: the private key is not an Ed25519 key")
    return key


def _work_key(path: Path) -> Ed25519PrivateKey:
    """Load the key of a work folder; generate it if there is none.

    Only its owner can read the private key.  The public key lies beside it.  Processes that
    generate the key at the same time get the same key.
    """
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        disk.create_file(path, pem, mode=0o600)
    stored = _private_key(_read(path), str(path))
    disk.create_file(path.with_suffix(".pub"), public_pem(stored.public_key()))
    return stored
