"""Fuzz a reader with mutated files under coverage, with atheris. Not part of the test suite.

    python tests/fuzz/fuzz_readers.py jsonl -max_total_time=60
    python tests/fuzz/fuzz_readers.py docx CORPUS -max_total_time=60

The first argument is a format of `pipelines.ingest.readers.registry.FORMATS`, or `page` (a page's
markup and its declarations), `robots`, `tdmrep`, `rsl`, `ai-txt`. Further arguments go to
libFuzzer. It starts from the sound and hostile files that tests build, and stores new inputs in
CORPUS. The input of a crash is written to `crash-…` in the current folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
with atheris.instrument_imports(include=["pipelines", "lineage", "schemas"]):
    from helpers.compressed import gzip_bytes

    from pipelines.engine.decisions import is_known_reason
    from pipelines.ingest import text_extraction
    from pipelines.ingest.extract import html
    from pipelines.ingest.extract.documents import archive, docx, epub, feed, odt, rtf  # noqa: F401, lazy elsewhere
    from pipelines.ingest.readers import csv, jsonl, parquet, wacz  # noqa: F401
    from pipelines.ingest.readers.records import ContainerSource
    from pipelines.ingest.readers.registry import FORMATS, reader
    from pipelines.ingest.signals.hosts import HostSignals
    from pipelines.ingest.signals.observed import Capture
    from pipelines.ingest.signals.registry import observe_response

from helpers import office_files  # noqa: E402, after the instrumented imports
from helpers.hostile_files import HOSTILE, gzip_members, html_page, warc_response  # noqa: E402

LIMIT = 1 << 18
SIGNALS = ("robots", "tdmrep", "rsl", "ai-txt")
AGENTS = ("*", "GPTBot")
ROW = b'{"uri": "urn:1", "text": "kitap", "captured_at": "2026-01-01"}\n'
SEEDS: dict[str, list[bytes]] = {
    "warc": [
        warc_response(html_page("a")),
        gzip_members(*(warc_response(html_page(mark)) for mark in "bc")),
    ],
    "arc": [b"http://a.kz/ 1.2.3.4 20140216050221 text/html 29\nHTTP/1.1 200 OK\r\n\r\n<p>kitap\n\n"],
    "wacz": [office_files.make_zip({"archive/a.warc.gz": gzip_members(warc_response(html_page("d")))})],
    "jsonl": [ROW * 2, gzip_bytes(ROW)],
    "csv": [b"uri,text,captured_at\nurn:1,\"a, b\",2026\n", "uri;text\n1;кітап\n".encode("utf-16")],
    "feed": [b"<rss><channel><item><title>a</title><link>http://a/</link><description>b</description>"
             b"</item></channel></rss>", b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>a</id>"
             b"<content type='xhtml'><div>b</div></content></entry></feed>"],
    "text": ["Құрметті әріптестер".encode("utf-16"), "Уважаемые коллеги".encode("cp1251")],
    "docx": [office_files.make_docx(office_files.docx_paragraph("a"))],
    "odt": [office_files.make_odt("<text:p>a</text:p>")],
    "epub": [office_files.make_epub(["<html><body><p>a</p></body></html>"])],
    "pdf": [office_files.make_pdf([[(60, 700, "a")]]), office_files.make_encrypted_pdf(b"", -4)],
    "rtf": [rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 A;}}\f0 \'cf\u1179 ?{\footnote x}\par}"],
    "html": [html_page("e"), b"<table><tr><td>a<td>b</table><!-- c --><![CDATA[x]]><script>//</script>"],
    "page": [b"<meta name=robots content=noai><link rel=license href='https://creativecommons.org/licenses/by/4.0/'>"
             b"<script type='application/ld+json'>{\"license\": \"x\"}</script><p>a"],
    "robots": [b"User-agent: *\nDisallow: /*a$\nContent-Usage: /x train-ai=n\nContent-Signal: ai-train=no\n"
               b"License: https://a.kz/l.xml\n"],
    "tdmrep": [b'[{"location": "/*a$", "tdm-reservation": 1, "tdm-policy": "https://a.kz"}]'],
    "rsl": [b"<rsl xmlns='https://rslstandard.org/rsl'><content url='/'><license><permits type='usage'>all"
            b"</permits><payment type='free'/></license></content></rsl>"],
    "ai-txt": [b"User-Agent: *\nDisallow: *.txt\nAllow: /\n"],
}  # fmt: skip


def parquet_file() -> bytes:
    """Return a small Parquet file."""
    out = pa.BufferOutputStream()
    table = pa.table({"uri": ["urn:1", "urn:2"], "text": ["kitap", None]})
    pq.write_table(table, out, row_group_size=1)
    return out.getvalue().to_pybytes()


def fuzz_file(format: str) -> Callable[[bytes], None]:
    """Return the target of a format: each sound envelope has a body, and each body an outcome."""
    path = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)) / "a"
    read = reader(format)

    def target(data: bytes) -> None:
        path.write_bytes(data)
        source = ContainerSource(path, "a", {}, LIMIT)
        envelopes = list(read.scan(source))
        assert all(e.error is None or is_known_reason("damaged", e.error) for e in envelopes)
        good = sorted({(e.offset, e.length) for e in envelopes if not e.error})
        bodies = list(read.contents(source, good))
        assert len(bodies) == len(good)
        for body in bodies:
            document = text_extraction.extract_document(body, LIMIT)
            assert document.error is None or is_known_reason("damaged", document.error)
            document.text.encode()

    return target


def fuzz_signal(kind: str) -> Callable[[bytes], None]:
    """Return the target of a signal: its observations never fail and can be stored."""

    def target(data: bytes) -> None:
        uri = "https://a.kz/robots.txt"
        signals = HostSignals([Capture("a.kz", kind, 200, data, "2026-01-01", "id", uri)], AGENTS)
        for path in ("/", "/x/a?b=c", "/%D2%9B"):
            for observation in signals.observations(f"https://a.kz{path}", "2026-02-01"):
                observation.evidence()

    return target


def fuzz_page(data: bytes) -> None:
    """Extract a page, and observe its declarations as the gate does."""
    page = html.extract(data.decode("utf-8", "replace"))
    page.text.encode()
    for observation in observe_response(page.metas, page.metas, AGENTS):
        observation.evidence()


def main() -> None:
    """Fuzz the target that the first argument names."""
    if len(sys.argv) < 2 or sys.argv[1] not in {*FORMATS, *SIGNALS, "page"}:
        sys.exit(__doc__)
    name = sys.argv.pop(1)
    seeds = Path(tempfile.mkdtemp(prefix="seeds-"))
    built = [
        build()
        for hostile, (build, _) in HOSTILE.items()
        if f".{name}" in hostile and not hostile.startswith(("bomb", "long"))
    ]
    if name == "parquet":
        built.append(parquet_file())
    for number, seed in enumerate([*SEEDS.get(name, []), *built]):
        (seeds / str(number)).write_bytes(seed)
    target = (
        fuzz_page if name == "page" else fuzz_signal(name) if name in SIGNALS else fuzz_file(name)
    )
    corpus = [a for a in sys.argv[1:] if not a.startswith("-")] or [
        tempfile.mkdtemp(prefix="corpus-")
    ]
    options = [a for a in sys.argv[1:] if a.startswith("-")]
    atheris.Setup(
        [sys.argv[0], "-timeout=20", "-rss_limit_mb=3000", *options, *corpus, str(seeds)], target
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
