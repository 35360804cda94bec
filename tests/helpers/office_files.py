"""Small office documents, built by hand, for the tests of their readers."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TDM = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><rdf:Description rdf:about="" xmlns:tdm="http://www.w3.org/ns/tdmrep/" {}'
    "</rdf:RDF></x:xmpmeta>"
)
_TO_UNICODE = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
    b"/CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange\n"
    b"2 beginbfrange <20> <7E> <0020> <80> <BF> <0410> endbfrange endcmap end end"
)


def make_zip(entries: Mapping[str, str | bytes], stored: str | None = None) -> bytes:
    """A zip file; `stored` goes first and as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        if stored:
            file.writestr("mimetype", stored, zipfile.ZIP_STORED)
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def make_docx(body: str, **more: str) -> bytes:
    """A DOCX with this inside `w:body`; `more` are other parts of `word/` by stem."""
    parts = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>',
        "docProps/core.xml": '<c xmlns:dc="urn:dc"><dc:title>Тақырып</dc:title></c>',
    }
    return make_zip(parts | {f"word/{name}.xml": content for name, content in more.items()})


def docx_paragraph(*runs: str) -> str:
    """A `w:p` of a run for each text."""
    inner = "".join(f'<w:r><w:t xml:space="preserve">{run}</w:t></w:r>' for run in runs)
    return f"<w:p>{inner}</w:p>"


def make_odt(body: str, **more: str) -> bytes:
    """An ODT with this inside `office:text`."""
    spaces = 'xmlns:office="urn:o" xmlns:text="urn:t" xmlns:table="urn:tb" xmlns:dc="urn:dc"'
    content = f"<office:document-content {spaces}><office:text>{body}</office:text>"
    parts = {
        "content.xml": content + "</office:document-content>",
        "meta.xml": '<m xmlns:dc="urn:dc"><dc:title>Тақырып</dc:title></m>',
    }
    return make_zip(parts | more, "application/vnd.oasis.opendocument.text")


def make_epub(chapters: Sequence[str], metadata: str = "", **more: str) -> bytes:
    """An EPUB whose spine has the chapters in turn, and a contents page."""
    items = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>Кітап</dc:title>{metadata}</metadata><manifest>{items}"
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        f'</manifest><spine><itemref idref="nav"/>{spine}</spine></package>'
    )
    parts = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="book/book.opf"/>'
        "</rootfiles></container>",
        "book/book.opf": package,
        "book/nav.xhtml": "<html><body>CONTENTS</body></html>",
    }
    parts |= {f"book/text/c{n}.xhtml": chapter for n, chapter in enumerate(chapters)}
    return make_zip(
        parts | {name.replace("__", "/"): content for name, content in more.items()},
        "application/epub+zip",
    )


def make_pdf(
    pages: Sequence[Sequence[tuple[float, float, str]]],
    xmp: bytes | None = None,
    deflated: bool = False,
    raw: bytes | None = None,
) -> bytes:
    """A PDF of pages of (x, y, text) lines in 10 points, А..я beside ASCII.

    `xmp` goes in as metadata, `deflated` or plain; `raw` replaces the pages' content streams.
    """
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(head: bytes, body: bytes) -> int:
        return add(b"<<%s /Length %d>>\nstream\n%s\nendstream" % (head, len(body), body))

    catalog, tree = add(b""), add(b"")
    names = stream(b"", _TO_UNICODE)
    font = add(
        b"<</Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding "
        b"/ToUnicode %d 0 R>>" % names
    )
    kids = []
    for lines in pages:
        shown = b"".join(
            b"BT /F 10 Tf %.1f %.1f Td (%s) Tj ET\n" % (x, y, _coded(text)) for x, y, text in lines
        )
        content = stream(b"/Filter /FlateDecode", zlib.compress(raw or shown))
        kids.append(
            add(
                b"<</Type /Page /Parent %d 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
                b"/Resources <</Font <</F %d 0 R>>>>>>" % (tree, content, font)
            )
        )
    objects[tree - 1] = b"<</Type /Pages /Count %d /Kids [%s]>>" % (
        len(kids),
        b" ".join(b"%d 0 R" % kid for kid in kids),
    )
    metadata = b""
    if xmp is not None:
        head = b"/Type /Metadata /Subtype /XML" + (b" /Filter /FlateDecode" if deflated else b"")
        number = stream(head, zlib.compress(xmp) if deflated else xmp)
        metadata = b" /Metadata %d 0 R" % number
    objects[catalog - 1] = b"<</Type /Catalog /Pages %d 0 R%s>>" % (tree, metadata)
    info = add(b"<</Title (A title)>>")
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer <</Size %d /Root %d 0 R /Info %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        catalog,
        info,
        start,
    )
    return bytes(out)


def make_encrypted_pdf(user: bytes, permissions: int) -> bytes:
    """A PDF with a standard security handler (40 bits, revision 2)."""
    pad = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")

    def rc4(key: bytes, data: bytes) -> bytes:
        box, j = list(range(256)), 0
        for i in range(256):
            j = (j + box[i] + key[i % len(key)]) % 256
            box[i], box[j] = box[j], box[i]
        out, i, j = bytearray(), 0, 0
        for byte in data:
            i = (i + 1) % 256
            j = (j + box[i]) % 256
            box[i], box[j] = box[j], box[i]
            out.append(byte ^ box[(box[i] + box[j]) % 256])
        return bytes(out)

    owner = rc4(hashlib.md5((b"owner" + pad)[:32]).digest()[:5], (user + pad)[:32])
    flags = (permissions & 0xFFFFFFFF).to_bytes(4, "little")
    key = hashlib.md5((user + pad)[:32] + owner + flags + b"0123456789abcdef").digest()[:5]
    plain = make_pdf([[]], raw=b" ")
    extra = (
        b"/Encrypt <</Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d>> "
        b"/ID [<%s> <%s>]" % (
            owner.hex().encode(), rc4(key, pad).hex().encode(), permissions,
            b"0123456789abcdef".hex().encode(), b"0123456789abcdef".hex().encode(),
        )
    )  # fmt: skip
    return plain.replace(b"trailer <<", b"trailer <<" + extra)


def _coded(text: str) -> bytes:
    codes = (c if ord(c) < 0x7F else chr(0x80 + ord(c) - 0x410) for c in text)
    return (
        "".join(codes)
        .encode("latin-1")
        .replace(b"\\", rb"\\")
        .replace(b"(", rb"\(")
        .replace(b")", rb"\)")
    )
