"""Read the reservations of text and data mining in XMP packets (TDMRep 1.0, section on PDF)."""

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
    """Collects the TDMRep properties of a packet."""

    def __init__(self) -> None:
        self.metas: list[tuple[str, str]] = []
        self.inside, self.value = "", ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.metas += [(tdm, v.strip()) for k, v in attributes.items() if (tdm := _tdm_name(k))]
        self.inside, self.value = _tdm_name(name) or self.inside, ""

    def end(self, name: str) -> None:
        if _tdm_name(name) == self.inside and self.inside:
            self.metas.append((self.inside, self.value.strip()))
            self.inside = ""

    def data(self, text: str) -> None:
        self.value += text


def _tdm_name(name: str) -> str | None:
    """Return `tdm:reservation` or `tdm:policy` for a qualified name; None for any other."""
    space, _, local = name.rpartition("}")
    return f"tdm:{local}" if space.rstrip("/#") == TDM and local in NAMES else None


def packet_metas(packet: bytes) -> Metas:
    """Return `tdm:reservation` and `tdm:policy` of a packet, from attributes or elements.

    Raises:
      DocumentError: the packet cannot be parsed.
    """
    handler = _Packet()
    xml.parse(packet, handler, namespaces=True)
    return tuple(handler.metas)


def pdf_metas(payload: bytes) -> tuple[Metas, bool]:
    """Return the TDMRep properties of all packets of a PDF.

    Returns:
      The properties, and whether there is a packet that cannot be read.
    """
    packets = [m[0][:MAX_PACKET] for m in _PACKET.finditer(payload)]
    unreadable, position = 0, 0
    for number, mark in enumerate(_STREAM.finditer(payload)):
        if number >= MAX_STREAMS:
            unreadable += 1
            break
        begin = payload.find(b"stream", mark.end(), mark.end() + 2000)
        if begin == -1 or begin < position:
            continue
        begin = position = begin + len(b"stream")
        begin += len(payload[begin : begin + 2]) - len(payload[begin : begin + 2].lstrip(b"\r\n"))
        if b"<" in payload[begin : begin + 20]:
            continue  # an uncompressed packet, which `_PACKET` matched
        try:
            packets.append(zlib.decompressobj().decompress(payload[begin:], MAX_PACKET))
        except zlib.error:
            unreadable += 1
    metas: list[tuple[str, str]] = []
    for packet in packets:
        try:
            metas += packet_metas(packet)
        except DocumentError:
            unreadable += b"tdm" in packet
    return tuple(dict.fromkeys(metas)), unreadable > 0
