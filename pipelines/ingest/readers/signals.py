"""Find the captures that are signals: files of a host by their path, RSL terms by their form."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipelines.ingest.decoding.http_encodings import decode_body, header_value
from pipelines.ingest.readers.records import MAX_DOCUMENT_BYTES, MAX_SIGNAL_BYTES, Envelope
from pipelines.ingest.signals.captures import read_marks
from pipelines.ingest.signals.rsl_terms import MEDIA_TYPE, is_rsl_document

SIGNAL_PATHS = {
    "/robots.txt": "robots",
    "/.well-known/tdmrep.json": "tdmrep",
    "/ai.txt": "ai-txt",
}
_XML_TYPES = frozenset({"application/xml", "text/xml"})


def signal_kind(uri: str | None) -> str | None:
    """Return `robots`, `tdmrep` or `ai-txt` if a URI is that of a host's signal file, else None."""
    if not uri or not uri.endswith(tuple(SIGNAL_PATHS)):
        return None
    try:
        return SIGNAL_PATHS.get(urlsplit(uri).path)
    except ValueError:
        return None


def add_signal(envelope: Envelope, fields: dict[str, str], payload: bytes, limit: int) -> None:
    """Fill the signal fields of an envelope, if its record is a signal.

    If a coding of the body cannot be undone, the envelope has no body, and the capture counts as
    unanswered. A revisit has no body either, but the marks of the capture that it repeats.

    Args:
      envelope: the envelope; it is changed.
      fields: the WARC fields of the record, by lower-case name.
      payload: the HTTP body as stored.
      limit: the most bytes of the decoded body.
    """
    xml = envelope.media_type in _XML_TYPES or (envelope.uri or "").lower().endswith(".xml")
    if not (envelope.signal or xml or envelope.media_type == MEDIA_TYPE):
        return
    body, error = decode_body(payload, envelope.headers, limit)
    if envelope.signal is None and (envelope.media_type == MEDIA_TYPE or is_rsl_document(body)):
        envelope.signal = "rsl"
    if envelope.signal is None:
        return
    envelope.signal_marks, envelope.signal_refers = read_marks(fields)
    if envelope.signal_refers is None and not error:
        uncut = envelope.signal in ("tdmrep", "rsl")
        envelope.signal_body = body[: MAX_DOCUMENT_BYTES if uncut else MAX_SIGNAL_BYTES]
        envelope.signal_location = header_value(envelope.headers, "location")
