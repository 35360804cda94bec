"""The format of a file is detected by its bytes, else by its name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from helpers.compressed import gzip_bytes

from pipelines.ingest.readers import registry as readers
from pipelines.ingest.readers import sniff

WARC = b"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: 1\r\n\r\nx\r\n\r\n"
ARC = b"filedesc://a.arc 10.0.0.1 20140216050221 text/plain 2\nx\n\n"
JSONL = b'\xef\xbb\xbf{"uri": "urn:a", "text": "x"}\n{}\n'


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": ["x"]}), out)
    return out.getvalue()


@pytest.mark.parametrize(
    "name, content, kind",
    [
        ("a.bin", WARC, "warc"),
        ("a.bin", gzip_bytes(WARC), "warc"),
        ("a.txt", zstd.compress(WARC), "warc"),
        ("a", lz4.frame.compress(ARC), "arc"),
        ("a.dat", ARC, "arc"),
        ("a.zip", zipped("datapackage.json", "archive/data.warc.gz"), "wacz"),
        ("a.bin", parquet(), "parquet"),
        ("a.json", JSONL, "jsonl"),
        ("a.json", gzip_bytes(JSONL), "jsonl"),
        ("a", b'{"text": "' + b"x" * 100_000, "jsonl"),
        ("a.json", b'{\n "pretty": "printed"\n}', "unknown"),
        ("a.warc.gz", b"\x1f\x8b\x08broken", "warc"),
        ("A.WARC.GZ", b"garbage", "warc"),
        ("a.warc.wet.gz", b"garbage", "warc"),
        ("a.arc.gz", b"garbage", "arc"),
        ("a.jsonl.zst", b"garbage", "jsonl"),
        ("a.parquet", b"garbage", "parquet"),
        ("a.wacz", b"garbage", "wacz"),
        ("a.txt", "Привет".encode("koi8-r"), "text"),
        ("a.txt", b"", "text"),
        ("README", "Сәлем".encode(), "text"),
        ("README", b"\0\1\2", "unknown"),
        ("README", "Привет".encode("koi8-r"), "unknown"),
        ("a.png", b"\x89PNG\r\n", "unknown"),
        ("a.zip", zipped("x"), "unknown"),
        ("a.zip", b"PK\x03\x04broken", "unknown"),
        ("a.txt.gz", gzip_bytes(b"a letter"), "unknown"),
    ],
)
def test_kinds(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert sniff.detect_format(tmp_path / name) == kind


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert sniff.detect_format(tmp_path / "nowhere") == sniff.detect_format(tmp_path) == "unknown"


def test_each_format_can_be_detected() -> None:
    assert set(readers.FORMATS) <= {k.format for k in sniff.KINDS}
