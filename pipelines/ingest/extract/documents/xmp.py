"""What XMP packets say of text and data mining (TDMRep 1.0, section on PDF)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from pipelines.ingest.extract.documents import xml
from pipelines.ingest.extract.documents.document_text import DocumentError

TDM = "http://www.w3.org/ns/tdmrep"
NAMES = ("reservation", "policy")
MAX_PACKET = 1 << 20  # bytes
MAX_STREAMS = 1000
_PACKET = re.compile(rb"<x:xmpmeta\b.*?</x:xmpmeta>|<rdf:RDF\b.*?</rdf:RDF>", re.S)
_STREAM = re.compile(rb"/Type\s*/Metadata\b")

Metas = tuple[tuple[str, str], ...]


class _Packet(xml.Handler):
    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.inside, self.value = "", ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.found += [(own, v.strip()) for k, v in attributes.items() if (own := _tdm_name(k))]
        self.inside, self.value = _tdm_name(name) or self.inside, ""

    def end(self, name: str) -> None:
        if _tdm_name(name) == self.inside and self.inside:
            self.found.append((self.inside, self.value.strip()))
            self.inside = ""

    def data(self, text: str) -> None:
        self.value += text


def _tdm_name(name: str) -> str | None:
    space, _, local = name.rpartition("}")
    return f"tdm:{local}" if space.rstrip("/#") == TDM and local in NAMES else None


def packet_metas(packet: bytes) -> Metas:
    """`tdm:reservation` and `tdm:policy` of a packet, as attributes or as elements.

    Raises:
      Unread: where it cannot be parsed.
    """
    handler = _Packet()
    xml.parse(packet, handler, namespaces=True)
    return tuple(handler.found)


def pdf_metas(payload: bytes) -> tuple[Metas, bool]:
    """What all packets of a PDF say, and whether there is one that cannot be read."""
    packets = [m[0][:MAX_PACKET] for m in _PACKET.finditer(payload)]
    unread, position = 0, 0
    for number, mark in enumerate(_STREAM.finditer(payload)):
        if number >= MAX_STREAMS:
            unread += 1
            break
        begin = payload.find(b"stream", mark.end(), mark.end() + 2000)
        if begin == -1 or begin < position:
            continue
        begin = position = begin + len(b"stream")
        begin += len(payload[begin : begin + 2]) - len(payload[begin : begin + 2].lstrip(b"\r\n"))
        if b"<" in payload[begin : begin + 20]:
            continue  # it stands there plainly and was found
        try:
            packets.append(zlib.decompressobj().decompress(payload[begin:], MAX_PACKET))
        except zlib.error:
            unread += 1
    found: list[tuple[str, str]] = []
    for packet in packets:
        try:
            found += packet_metas(packet)
        except DocumentError:
            unread += b"tdm" in packet
    return tuple(dict.fromkeys(found)), unread > 0
