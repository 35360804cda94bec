"""Files behind `s3://`, on a server of the same protocol; skipped where moto or s3fs is absent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.compressed import gzip_bytes

from lineage import evidence
from lineage.configuration import load_params
from lineage.storage import remote
from pipelines.ingest import inventory
from schemas.errors import Invalid

moto = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
s3fs = pytest.importorskip("s3fs")

BODY = b'{"uri": "urn:1", "text": "Kitap"}\n'
PARAMS = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs: [{collection: lines, format: jsonl, paths: ["s3://raw/crawl/*.gz", "s3://raw/none"]}]
licences: {allow: [CC0-1.0]}
work: work
release: {name: r, path: release}
"""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="raw")
    for name in ("crawl/a.jsonl.gz", "crawl/b.jsonl.gz", "crawl/deep/c.txt"):
        client.put_object(Bucket="raw", Key=name, Body=gzip_bytes(BODY))
    yield client
    server.stop()


def test_patterns_copies_and_evidence(store: object, tmp_path: Path) -> None:
    assert remote.matching_urls("s3://raw/crawl/*.gz") == [
        "s3://raw/crawl/a.jsonl.gz",
        "s3://raw/crawl/b.jsonl.gz",
    ]
    assert len(remote.matching_urls("s3://raw/crawl")) == 3
    assert remote.matching_urls("s3://nowhere/x*") == ["s3://nowhere/x*"]
    assert remote.file_size("s3://raw/crawl/none") == 0
    assert not remote.fetch_file("s3://raw/crawl/none", tmp_path).exists()
    record = {
        "container": "s3://raw/crawl/a.jsonl.gz", "locator": "bytes", "offset": 0,
        "length": len(BODY), "payload_sha256": hashlib.sha256(BODY).hexdigest(),
    }  # fmt: skip
    assert evidence.check(record, tmp_path).payload_matches


def test_a_store_that_cannot_be_listed(
    store: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    (tmp_path / "params.yaml").write_text(PARAMS)
    with pytest.raises(Invalid, match=r"s3://raw/crawl/\*.gz: .* cannot be listed"):
        inventory.containers(load_params(tmp_path / "params.yaml"))
    assert not remote.fetch_file("s3://raw/crawl/a.jsonl.gz", tmp_path).exists()
    assert remote.file_size("s3://raw/crawl/a.jsonl.gz") == 0


def test_inventory(store: object, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    found = inventory.containers(load_params(tmp_path / "params.yaml"))
    digest = hashlib.sha256(gzip_bytes(BODY)).hexdigest()
    assert [(c.uri, c.sha256) for c in found] == [
        ("s3://raw/crawl/a.jsonl.gz", digest),
        ("s3://raw/crawl/b.jsonl.gz", digest),
        ("s3://raw/none", None),
    ]
