"""WARC records and files, and the envelopes that reading them gives."""

from __future__ import annotations

import hashlib
from pathlib import Path

from backports import zstd
from helpers.compressed import gzip_bytes

from lineage.storage import streams
from pipelines.ingest.readers import warc
from pipelines.ingest.readers.records import ContainerSource, Envelope

MIB = 1 << 20


def http_response(body: bytes, *headers: str, status: str = "200 OK", end: str = "\r\n") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: Text/HTML; charset=utf-8", *headers, "", ""]
    return end.join(lines).encode() + body


def warc_record(
    block: bytes,
    uri: str | None = "https://a.kz/1",
    kind: str | None = "response",
    length: int | str | None = -1,
    extra: str = "",
    content_type: str | None = "application/http; msgtype=response",
    date: str | None = "2026-10-01T00:00:00Z",
) -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Target-URI": uri,
        "WARC-Date": date,
        "Content-Type": content_type,
        "Content-Length": len(block) if length == -1 else length,
    }
    head = "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None)
    return f"WARC/1.0\r\n{head}{extra}\r\n".encode() + block + b"\r\n\r\n"


def page_record(number: int, body: str = "") -> bytes:
    text = f"<p>Page {number}. {body or 'The assembly met on Monday. ' * 3}</p>"
    return warc_record(http_response(text.encode()), f"https://a.kz/{number}")


INFO = warc_record(b"software: x\r\n", None, "warcinfo", content_type="application/warc-fields")
REQUEST = warc_record(b"GET /1 HTTP/1.1\r\n\r\n", kind="request")
PAGES = [page_record(n) for n in range(5)]


def gzip_members(*records: bytes) -> bytes:
    return b"".join(map(gzip_bytes, records))


def gzip_in_pieces(whole: bytes) -> bytes:
    return b"".join(gzip_bytes(whole[n : n + 100]) for n in range(0, len(whole), 100))


def zstd_with_dictionary(*records: bytes) -> bytes:
    """Zstandard frames that share a dictionary. The dictionary stands first, in a skippable frame."""
    trained = zstd.train_dict([page_record(n) for n in range(300)], 2000)
    packed = zstd.compress(trained.dict_content)
    front = streams.DICTIONARY + len(packed).to_bytes(4, "little") + packed
    return front + b"".join(zstd.compress(r, zstd_dict=trained) for r in records)


def unpack_bytes(folder: Path, content: bytes) -> bytes:
    (folder / "packed").write_bytes(content)
    with streams.open_decompressed(folder / "packed") as file:
        return file.read()


def write_source(path: Path, content: bytes, limit: int = MIB) -> ContainerSource:
    path.write_bytes(content)
    return ContainerSource(path, "raw/a.warc", {}, limit)


def scan_warc(path: Path, content: bytes, limit: int = MIB) -> list[Envelope]:
    """All envelopes of a container. Checks the content of each sound one against its digest."""
    source = write_source(path / "a.warc", content, limit)
    envelopes = list(warc.scan(source))
    good = [e for e in envelopes if not e.error]
    bodies = list(warc.contents(source, [(e.offset, e.length) for e in good]))
    assert [hashlib.sha256(b.payload or b"").hexdigest() for b in bodies] == [
        e.payload_sha256 for e in good
    ]
    assert len({(e.offset, e.payload_sha256) for e in envelopes}) == len(envelopes)
    return envelopes


def sound_uris(envelopes: list[Envelope]) -> list[str | None]:
    return [e.uri for e in envelopes if not e.error]


def envelope_errors(envelopes: list[Envelope]) -> list[str | None]:
    return [e.error for e in envelopes if e.error]


ALL = [f"https://a.kz/{n}" for n in range(5)]
