"""Compressed files as one stream: complete, in parts, truncated, damaged; seeking both ways."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import lz4.frame
import pytest
from backports import zstd
from helpers.compressed import gzip_bytes

from lineage import evidence
from lineage.storage import streams

TEXT = b"".join(b"%d: the assembly met on Monday\n" % n for n in range(20_000))
PACKERS = {"gzip": gzip_bytes, "zstd": zstd.compress, "lz4": lz4.frame.compress}


@pytest.mark.parametrize("name", PACKERS)
def test_all_frames_are_one_stream(tmp_path: Path, name: str) -> None:
    pack = PACKERS[name]
    path = tmp_path / "a"
    path.write_bytes(pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:]))
    assert streams.compression_of(path) == name
    with streams.open_decompressed(path) as file:
        assert file.read() == TEXT
        file.seek(5)
        assert file.read(10) == TEXT[5:15]
        file.seek(300_000)
        assert (file.read(7), file.tell()) == (TEXT[300_000:300_007], 300_007)
    assert evidence.read_record(path, "bytes", 400_000, 50) == TEXT[400_000:400_050]


def test_plain_files_are_read_as_they_are(tmp_path: Path) -> None:
    for content in (b"", b"x", TEXT, b"\x1f", b"PK\x03\x04"):
        (tmp_path / "a").write_bytes(content)
        assert streams.compression_of(tmp_path / "a") is None
        with streams.open_decompressed(tmp_path / "a") as file:
            assert file.read() == content
    assert streams.compression_of(tmp_path / "nowhere") is None


@pytest.mark.parametrize("name", PACKERS)
def test_content_before_damage_is_kept(tmp_path: Path, name: str) -> None:
    noise = os.urandom(1 << 20)
    whole = PACKERS[name](noise)
    for broken in (whole[: len(whole) // 2], PACKERS[name](noise) + b"no frame at all"):
        (tmp_path / "a").write_bytes(broken)
        found = bytearray()
        with streams.open_decompressed(tmp_path / "a") as file, pytest.raises(streams.BROKEN):
            while part := file.read1(1000):
                found += part
        assert noise.startswith(found) and len(found) > 1 << 18


def test_frames_to_skip_and_dictionaries(tmp_path: Path) -> None:
    skip = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    trained = zstd.train_dict([TEXT[n : n + 500] for n in range(0, 200_000, 500)], 1000)
    stored = trained.dict_content
    front = streams.DICTIONARY + len(stored).to_bytes(4, "little") + stored
    for content in (
        skip + zstd.compress(TEXT),
        zstd.compress(TEXT[:9]) + skip + zstd.compress(TEXT[9:]),
        front + zstd.compress(TEXT, zstd_dict=trained),
    ):
        (tmp_path / "a").write_bytes(content)
        with streams.open_decompressed(tmp_path / "a") as file:
            assert file.read() == TEXT
    for torn in (
        front[:20],
        streams.DICTIONARY,
        streams.DICTIONARY + b"\xff\xff\xff\xff(\xb5/\xfd",
    ):
        (tmp_path / "a").write_bytes(torn)
        with pytest.raises(streams.BROKEN), streams.open_decompressed(tmp_path / "a") as file:
            file.read()


def test_entries_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "x")
        archive.writestr("b", gzip_bytes(TEXT))
    place = (2 << streams.ENTRY_BITS) + 400_000
    assert evidence.read_record(path, "entry", place, 50) == TEXT[400_000:400_050]
    for number in (0, 3, 99):
        with pytest.raises(OSError):
            evidence.read_record(path, "entry", (number << streams.ENTRY_BITS), 1)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(OSError):
        streams.open_zip_entry(path, 1)
