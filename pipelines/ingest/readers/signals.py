"""Which captures are signals: files that speak of a whole host, by address; RSL terms, by form."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipelines.ingest.decoding.http_encodings import decode_body
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
    """`robots`, `tdmrep` or `ai-txt` where a URI is that of a host's file of signals."""
    if not uri or not uri.endswith(tuple(SIGNAL_PATHS)):
        return None
    try:
        return SIGNAL_PATHS.get(urlsplit(uri).path)
    except ValueError:
        return None


def add_signal(found: Envelope, fields: dict[str, str], payload: bytes, limit: int) -> None:
    """Put what a record says as a signal into its envelope, `fields` being its WARC fields.

    A body whose coding cannot be undone is left out, so that the capture counts as unanswered; a
    revisit has none, but names of the capture that it repeats.
    """
    xml = found.media_type in _XML_TYPES or (found.uri or "").lower().endswith(".xml")
    if not (found.signal or xml or found.media_type == MEDIA_TYPE):
        return
    body, error = decode_body(payload, found.headers, limit)
    if found.signal is None and (found.media_type == MEDIA_TYPE or is_rsl_document(body)):
        found.signal = "rsl"
    if found.signal is None:
        return
    found.signal_marks, found.signal_refers = read_marks(fields)
    if found.signal_refers is None and not error:
        whole = found.signal in ("tdmrep", "rsl")
        found.signal_body = body[: MAX_DOCUMENT_BYTES if whole else MAX_SIGNAL_BYTES]
        found.signal_location = next((v for k, v in found.headers if k.lower() == "location"), None)
