"""XML as a stream of events (expat), so that memory does not grow with a document.

A document that declares entities is refused: none of the formats read here needs them, and they
are how a few bytes become gigabytes, or a file of the machine that reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat

from pipelines.ingest.extract.documents.document_text import DocumentError

MAX_DEPTH = 5_000


class Handler:
    """What to do on each event.  Names are local: without their namespaces."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """A start tag."""

    def end(self, name: str) -> None:
        """An end tag."""

    def data(self, text: str) -> None:
        """Character data, whole up to the next tag."""


def parse(payload: bytes | str, handler: Handler, namespaces: bool = False) -> None:
    """Feed a document to a handler.

    Args:
      payload: the document; one that is decoded already may declare any encoding.
      handler: told of what is met.
      namespaces: names come as `URI}local` (attributes too) rather than as local names.

    Raises:
      Unread: `unreadable`, for entity declarations, depth, or what is not well-formed.
    """
    encoding = "utf-8" if isinstance(payload, str) else None
    parser = expat.ParserCreate(encoding, namespace_separator="}")
    parser.buffer_text, parser.buffer_size = True, 1 << 16
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise DocumentError("unreadable", f"XML nested more than {MAX_DEPTH} deep")
        if not namespaces:
            name = name.rpartition("}")[2]
            attributes = {k.rpartition("}")[2]: v for k, v in attributes.items()}
        handler.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(name if namespaces else name.rpartition("}")[2])

    def refuse(*_: object) -> None:
        raise DocumentError("unreadable", "XML that declares entities")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = handler.data
    parser.EntityDeclHandler = refuse
    content = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DocumentError("unreadable", f"XML: {expat.ErrorString(error.code)}") from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise DocumentError("unreadable", f"XML: {type(error).__name__}") from None
