"""A release verifies with the public key, and no longer after any change."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from helpers.commands import ROOT, tamga

from lineage.signing import dsse, keys
from lineage.storage import release_files
from lineage.verify import defects


@pytest.fixture
def release(sample_run: Path, tmp_path: Path) -> Path:
    """A copy of the sample's release, its log beside it."""
    shutil.copytree(sample_run / "release", tmp_path / "release")
    return tmp_path / "release/sample"


@pytest.fixture
def public(sample_run: Path) -> Path:
    return sample_run / "work/keys/signing.pub"


@pytest.fixture
def key(public: Path) -> Ed25519PublicKey:
    return keys.public_key(public)


def first(release: Path, key: Ed25519PublicKey) -> str:
    """The first defect as text; empty if there is none."""
    return str(next(defects(release, key, release.parent / release_files.LOG), ""))


def files(release: Path) -> list[Path]:
    return sorted(path for path in release.rglob("*") if path.is_file())


def test_a_release_is_what_was_signed(release: Path, key: Ed25519PublicKey) -> None:
    assert not list(defects(release, key, release.parent / release_files.LOG))


def test_the_script_for_outsiders_can_be_read_in_a_minute() -> None:
    assert len((ROOT / "docs/verify_release.py").read_text().splitlines()) < 80


def test_every_changed_byte_is_found(release: Path, public: Path, key: Ed25519PublicKey) -> None:
    """Changes bytes at random places, chosen by bytes and by files, so that small files count."""
    draw, paths = random.Random(7), files(release)
    sizes = [path.stat().st_size for path in paths]
    chosen = draw.choices(paths, sizes, k=20) + draw.choices(paths, k=20)
    script = [sys.executable, str(ROOT / "docs/verify_release.py"), str(release), str(public)]
    for turn, path in enumerate(chosen):
        content = path.read_bytes()
        place, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
        changed = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        path.write_bytes(changed)
        assert first(release, key), (path.name, place)
        if turn % 10 == 0:
            assert subprocess.run(script, capture_output=True).returncode == 1
        path.write_bytes(content)
    assert not first(release, key)
    assert subprocess.run(script, capture_output=True, text=True).stdout == "sound\n"


def test_every_byte_of_the_envelope_counts(release: Path, key: Ed25519PublicKey) -> None:
    envelope = (release / "manifest.dsse.json").read_bytes()
    for place in range(len(envelope)):
        changed = envelope[:place] + bytes([envelope[place] ^ 1]) + envelope[place + 1 :]
        with pytest.raises(dsse.BadEnvelope):
            dsse.open_envelope(changed, key)


def test_what_is_wrong_is_named(release: Path, key: Ed25519PublicKey) -> None:
    shard = next((release / "data").rglob("*.parquet"))
    name = shard.relative_to(release).as_posix()
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    assert first(release, key).startswith(f"{name}: does not have the bytes")
    shard.unlink()
    assert first(release, key) == f"{name}: is missing"
    shard.write_bytes(content)
    (release / "data/extra.parquet").write_bytes(content)
    assert first(release, key) == "data/extra.parquet: does not belong to the release"
    (release / "data/extra.parquet").unlink()
    (release / "manifest.json").write_text("{")
    assert first(release, key) == "manifest.json: is not the manifest that was signed"
    (release / "manifest.json").unlink()
    assert first(release, key).startswith("manifest.json: cannot be read")


def test_another_key_and_another_log(release: Path, key: Ed25519PublicKey) -> None:
    other = Ed25519PrivateKey.generate()
    assert "was signed with another key" in first(release, other.public_key())
    history = release.parent / release_files.LOG
    history.write_bytes(b"")
    assert "has no entry for this release" in first(release, key)
    history.write_bytes(b'{"seq":0}')
    assert "the line is cut off" in first(release, key)


def test_a_signed_manifest_that_does_not_fit(release: Path, sample_run: Path) -> None:
    """Even the owner of the key cannot sign counts that differ from the tables."""
    signer = keys.signing_key(None, sample_run / "work/keys")
    key = signer.public_key()
    signed = dsse.open_envelope((release / "manifest.dsse.json").read_bytes(), key)
    signed["predicate"]["merkle"]["root"] = "00" * 32
    (release / "manifest.dsse.json").write_bytes(dsse.sign(signed, signer))
    assert "another Merkle root" in str(next(defects(release, key, None)))
    signed["predicate"]["documents"] = "77"
    (release / "manifest.dsse.json").write_bytes(dsse.sign(signed, signer))
    assert "says other counts" in str(next(defects(release, key, None)))


def test_an_erased_salt_leaves_the_root(release: Path, sample_run: Path) -> None:
    """An unlinked leaf has no document and no salt, and the root is the same."""
    import hashlib

    signer = keys.signing_key(None, sample_run / "work/keys")
    key = signer.public_key()
    salts = bytearray((release / "seal/salts").read_bytes())
    salts[:16] = bytes(16)
    (release / "seal/salts").write_bytes(salts)
    signed = dsse.open_envelope((release / "manifest.dsse.json").read_bytes(), key)
    for subject in signed["subject"]:
        if subject["name"] == "seal/salts":
            subject["digest"]["sha256"] = hashlib.sha256(salts).hexdigest()
    (release / "manifest.dsse.json").write_bytes(dsse.sign(signed, signer))
    found = str(next(defects(release, key, None)))
    assert "exactly the leaves" in found, "the document of the leaf is still there"


def test_the_command(release: Path, public: Path, sample_run: Path) -> None:
    sound = tamga("verify", release, "--key", public, "--json")
    assert sound.returncode == 0 and json.loads(sound.stdout)["sound"]
    (release / "README.md").write_text("other")
    broken = tamga("verify", release, "--params", sample_run / "params.yaml")
    assert broken.returncode == 1
    assert broken.stdout.startswith("README.md: does not have the bytes")
    assert tamga("verify", release, "--params", release / "params.yaml").returncode == 2
    nothing = tamga("verify", release.parent / "nothing", "--key", public)
    assert nothing.returncode == 2 and "holds no release" in nothing.stderr
    bad = tamga("verify", release, "--key", release / "README.md")
    assert bad.returncode == 2 and "no public key" in bad.stderr
