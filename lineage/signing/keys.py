"""Ed25519 keys: from a file or the environment, else made once and kept with the work files."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lineage.storage import disk
from schemas.errors import BAD_USAGE, TamgaError

#: Names the signing key's file, or holds the key itself as PEM.
ENVIRONMENT = "TAMGA_SIGNING_KEY"


class BadKey(TamgaError):
    """A key is not there, or is none of Ed25519; the message says where it was looked for."""

    exit_code = BAD_USAGE


def signing_key(named: Path | None, keys: Path) -> Ed25519PrivateKey:
    """The key that signs releases.

    Args:
      named: the file that the parameters name (PEM, PKCS #8); None: not named.
      keys: the folder of keys, where one was or is made if the environment names none either.

    Raises:
      BadKey: where what is named cannot be read, or is no Ed25519 key.
    """
    said = os.environ.get(ENVIRONMENT, "")
    if "-----BEGIN" in said:
        return _private(said.encode(), ENVIRONMENT)
    path = Path(said) if said else named
    if path is None:
        return _work_key(keys / "signing.key")
    return _private(_read(path), str(path))


def is_generated(named: Path | None) -> bool:
    """Whether `signing_key` takes a key that was made under `work/keys`."""
    return named is None and not os.environ.get(ENVIRONMENT)


def public_key(path: Path) -> Ed25519PublicKey:
    """The public half in a PEM file.

    Raises:
      BadKey: where it cannot be read, or is no Ed25519 key.
    """
    try:
        key = forms.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(f"{path} holds no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path} holds a public key of another kind than Ed25519")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as PEM (SubjectPublicKeyInfo)."""
    return key.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """A key's name in a signature: the SHA-256 of its 32 raw bytes, hex."""
    return sha256(key.public_bytes(forms.Encoding.Raw, forms.PublicFormat.Raw)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadKey(f"{path}: the key cannot be read ({error.strerror})") from None


def _private(pem: bytes, place: str) -> Ed25519PrivateKey:
    try:
        key = forms.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey(f"{place} holds no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{place} holds a private key of another kind than Ed25519")
    return key


def _work_key(path: Path) -> Ed25519PrivateKey:
    """The key of a work folder, made if there is none: the private half readable by its owner
    alone, the public half beside it.  Whoever makes it at the same time gets the same key."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        disk.create_file(path, pem, mode=0o600)
    found = _private(_read(path), str(path))
    disk.create_file(path.with_suffix(".pub"), public_pem(found.public_key()))
    return found
