"""Parse XML as a stream of events (expat), so that memory does not grow with the document.

A document that declares entities is refused. None of the formats read here needs entities. They can
expand a few bytes to gigabytes, or include a file of the local machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat

from pipelines.ingest.extract.documents.document_text import DocumentError

MAX_DEPTH = 5_000


class Handler:
    """The callbacks of a parse. Names are local, without namespaces, unless `parse` keeps them."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Handle a start tag."""

    def end(self, name: str) -> None:
        """Handle an end tag."""

    def data(self, text: str) -> None:
        """Handle character data up to the next tag."""


def parse(payload: bytes | str, handler: Handler, namespaces: bool = False) -> None:
    """Parse a document and call a handler for its events.

    Args:
      payload: the document. In a decoded document (`str`) the declared encoding is ignored.
      handler: receives the events.
      namespaces: names come as `URI}local` (attributes too) instead of local names.

    Raises:
      DocumentError: `unreadable` for entity declarations, too much depth, or malformed XML.
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
    except (LookupError, ValueError) as error:  # an encoding unknown to Python
        raise DocumentError("unreadable", f"XML: {type(error).__name__}") from None
