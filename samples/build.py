"""Write the raw sample: WARC files, a gazette, an archive and letters, and their true outcomes.

The texts come from `texts/`, their places and outcomes from `crawl.yaml`.  The same sources give the
same bytes on any machine: times are fixed, identifiers derive from the texts' ids, and gzip members
hold stored blocks, so the version of zlib does not matter.  (Parquet names its pyarrow version.)

    python samples/build.py [--out samples/raw]
"""

from __future__ import annotations

import argparse
import base64
import codecs
import datetime as dt
import hashlib
import html
import json
import os
import re
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from identifiers import make

HERE = Path(__file__).resolve().parent
START = dt.datetime(2026, 10, 1)
PLACEHOLDER = re.compile(r"\{([A-Z_]+(?::[^{}]+)?)\}")
CAPTURED = {"gazette": dt.date(2026, 1, 11), "archive": dt.date(2025, 1, 7)}
# The smallest PNG: one transparent point.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Text:
    """A text with its placeholders filled: the identifiers planted, the decoys that must stay."""

    id: str
    lang: str
    script: str
    title: str
    paragraphs: list[str]
    planted: list[dict[str, str]] = field(default_factory=list)
    decoys: list[str] = field(default_factory=list)


def fill(doc: dict[str, Any], lang: str) -> Text:
    """Fill the placeholders: `{KEEP:words}` is a decoy and stays; `{KIND}` becomes an identifier."""
    planted: list[dict[str, str]] = []
    decoys: list[str] = []

    def value(match: re.Match[str]) -> str:
        kind = match[1]
        if kind.startswith("KEEP:"):
            decoys.append(kind[5:])
            return kind[5:]
        planted.append({"type": kind.split(":")[0], "value": make(kind, doc["id"])})
        return planted[-1]["value"]

    paragraphs = PLACEHOLDER.sub(value, doc["text"]).split("\n")
    return Text(
        doc["id"], lang, doc.get("script") or SCRIPTS.get(lang, "Latn"), doc["title"], paragraphs,
        planted, decoys,
    )  # fmt: skip


SCRIPTS = dict.fromkeys(("ru", "kk", "uk", "be", "ky", "tg", "tt"), "Cyrl")
SCRIPTS |= {"ka": "Geor", "hy": "Armn"}


def texts() -> dict[str, Text]:
    """Return all texts by their ids."""
    found: dict[str, Text] = {}
    for path in sorted((HERE / "texts").glob("*.yaml")):
        page = yaml.safe_load(path.read_text("utf-8"))
        for doc in page["documents"]:
            if doc["id"] in found:
                raise SystemExit(f"{path.name}: the id {doc['id']} is taken")
            found[doc["id"]] = fill(doc, page["language"])
    return found


def changed(text: Text, swaps: list[list[str]]) -> list[str]:
    """Replace each [old, new] word in the paragraphs, once."""
    joined = "\n".join(text.paragraphs)
    for old, new in swaps:
        if joined.count(old) != 1:
            raise SystemExit(f"{text.id}: {old!r} must stand exactly once")
        joined = joined.replace(old, new)
    return joined.split("\n")


def encode(text: str, charset: str, errors: str = "strict") -> bytes:
    if charset == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    return text.encode(charset, errors)


def member(data: bytes) -> bytes:
    """Return a gzip member (RFC 1952) of stored blocks, without time, name or compression."""
    chunks = [data[i : i + 65535] for i in range(0, len(data), 65535)] or [b""]
    blocks = b"".join(
        struct.pack("<BHH", i == len(chunks) - 1, len(c), len(c) ^ 0xFFFF) + c
        for i, c in enumerate(chunks)
    )
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + blocks + tail


def page(
    text: Text, paragraphs: list[str], record: dict[str, Any], around: dict[str, Any]
) -> bytes:
    """Return an HTML page with the text and its site's menus, in the record's charset."""
    charset, declared = record.get("charset", "utf-8"), record.get("declared", "both")
    meta = f'<meta charset="{charset}">' if declared in ("meta", "both") else ""
    title = html.escape(text.title)
    body = "\n".join(f"<p>{html.escape(p, quote=False)}</p>" for p in paragraphs)
    links = "".join(f'<li><a href="/{i}">{name}</a></li>' for i, name in enumerate(around["nav"]))
    aside = f'<aside class="related"><h3>{around["aside"]}</h3><ul>{links}</ul></aside>'
    main = {
        "article": f"<main><article><h1>{title}</h1>\n{body}</article></main>{aside}",
        "div": f'<div class="content"><div class="post"><h2>{title}</h2>\n{body}</div></div>{aside}',
        "table": f'<table><tr><td class="side"><ul>{links}</ul></td>'
        f'<td class="text"><h1>{title}</h1>\n{body}</td></tr></table>',
    }[record.get("layout", "article")]
    markup = (
        f'<!DOCTYPE html>\n<html lang="{text.lang}"><head>{meta}<title>{title}</title>'
        f"{record.get('head', '')}<style>p{{margin:1em}}</style>"
        f"<script>var counter = {len(body)};</script></head>\n<body><nav><ul>{links}</ul></nav>\n"
        f"{main}\n<footer><small>© 2026 {around['footer']}</small></footer></body></html>\n"
    )
    return encode(markup, charset, "xmlcharrefreplace")


def warc(kind: str, fields: dict[str, str], block: bytes) -> bytes:
    """Return a WARC record as one gzip member."""
    head = {"WARC-Type": kind, **fields, "Content-Length": str(len(block))}
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
    return member(f"WARC/1.0\r\n{lines}\r\n".encode() + block + b"\r\n\r\n")


def ids(uri: str, when: dt.datetime) -> dict[str, str]:
    stamp = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{uri} {stamp}")
    return {"WARC-Record-ID": f"<urn:uuid:{name}>", "WARC-Date": stamp}


def response(record: dict[str, Any], body: bytes, when: dt.datetime) -> bytes:
    """Return the record's HTTP response as a WARC record."""
    kind, declared = record.get("type", "text/html"), record.get("declared", "both")
    if kind == "text/html" and declared in ("header", "both"):
        kind += f"; charset={record.get('charset', 'utf-8')}"
    payload = member(body) if record.get("gzip") else body
    headers = {"Content-Type": kind, "Content-Length": str(len(payload))}
    headers |= {"Content-Encoding": "gzip"} if record.get("gzip") else {}
    headers |= record.get("headers", {})
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    block = f"HTTP/1.1 {record.get('status', '200 OK')}\r\n{lines}\r\n".encode() + payload
    digest = base64.b32encode(hashlib.sha1(payload).digest()).decode()
    fields = {
        "WARC-Target-URI": record["at"],
        **ids(record["at"], when),
        "WARC-Payload-Digest": f"sha1:{digest}",
        "Content-Type": "application/http; msgtype=response",
    }
    return warc("response", fields, block)


class Corpus:
    """The plan and the texts; each method returns a file's bytes and records its true outcomes."""

    def __init__(self) -> None:
        self.plan = yaml.safe_load((HERE / "crawl.yaml").read_text("utf-8"))
        self.texts = texts()
        self.truth: list[dict[str, Any]] = []
        self.when = START

    def note(self, file: str, record: dict[str, Any], **place: int) -> None:
        outcome = next((o for o in ("refuse", "drop", "damaged") if o in record), "keep")
        text = self.texts.get(record.get("text", ""))
        uri = f"samples/raw/{file}" if file.startswith("letters/") else record["at"]
        known = [p for p in self.plan["sources"] if uri.startswith(p)]
        self.truth.append({
            "uri": uri, "file": file, **place,
            "source": self.plan["sources"][max(known, key=len)] if known else None,
            "outcome": outcome, "reason": record.get(outcome),
            "text": text and text.id, "lang": text and text.lang, "script": text and text.script,
            "charset": record.get("charset", "utf-8"), "declared": record.get("declared", "both"),
            "twin": record.get("twin"), "words_changed": len(record.get("change", [])),
            "planted": text.planted if text else [], "decoys": text.decoys if text else [],
        })  # fmt: skip

    def body(self, record: dict[str, Any]) -> bytes:
        if record.get("image"):
            return PNG
        if "body" in record:
            return record["body"].encode()
        text = self.texts[record["text"]]
        furniture = self.plan["furniture"][text.lang]
        return page(text, changed(text, record.get("change", [])), record, furniture)

    def plain(self, record: dict[str, Any]) -> str:
        text = self.texts[record["text"]]
        return "\n\n".join([text.title, *changed(text, record.get("change", []))])

    def web(self, name: str) -> bytes:
        file = f"{name}.warc.gz"
        info = {**ids(file, START), "Content-Type": "application/warc-fields"}
        out = warc(
            "warcinfo", info, b"software: samples/build.py\r\nformat: WARC File Format 1.0\r\n"
        )
        for record in self.plan[name]:
            made = response(record, self.body(record), self.when)
            if record.get("torn"):
                made = made[: len(made) // 2]
            self.note(file, record, offset=len(out), length=len(made))
            out += made
            self.when += dt.timedelta(hours=5)
        return out

    def rows(self, name: str, file: str) -> Iterator[tuple[dict[str, Any], str, str]]:
        """Yield each record with its date and text; a record that is a raw line has no text."""
        for i, record in enumerate(self.plan[name]):
            day = CAPTURED[name] + dt.timedelta(days=30 * i)
            self.note(file, record)
            yield record, day.isoformat(), self.plain(record) if "text" in record else ""

    def gazette(self) -> bytes:
        lines = [
            r.get("line")
            or json.dumps({"id": r["at"], "date": day, "body": body}, ensure_ascii=False)
            for r, day, body in self.rows("gazette", "gazette.jsonl.gz")
        ]
        return member(("\n".join(lines) + "\n").encode())

    def archive(self) -> bytes:
        rows = [
            {"identifier": r["at"], "published": day, "content": body}
            for r, day, body in self.rows("archive", "archive.parquet")
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows), sink, compression="none")
        return sink.getvalue().to_pybytes()

    def letters(self) -> dict[str, bytes]:
        out = {}
        for record in self.plan["letters"]:
            file = f"letters/{record['at']}"
            self.note(file, record)
            out[file] = encode(self.plain(record), record.get("charset", "utf-8"))
        return out

    def files(self) -> dict[str, bytes]:
        """Return the files of the raw sample: path under `--out` -> bytes."""
        out = {f"{name}.warc.gz": self.web(name) for name in ("web-00", "web-01")}
        out |= {"gazette.jsonl.gz": self.gazette(), "archive.parquet": self.archive()}
        out |= self.letters()
        rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in self.truth]
        return out | {"truth.jsonl": "".join(rows).encode()}


def write(out: Path, files: dict[str, bytes]) -> None:
    """Write each file under a temporary name, then rename it; remove letters of earlier builds."""
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        os.replace(temporary, path)
    for stale in set((out / "letters").glob("*.txt")) - {out / name for name in files}:
        stale.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "raw", help="folder (samples/raw)")
    out = parser.parse_args().out
    files = Corpus().files()
    write(out, files)
    size = sum(map(len, files.values()))
    print(f"{len(files)} files, {size / 1000:.0f} kB in {out}")


if __name__ == "__main__":
    main()
