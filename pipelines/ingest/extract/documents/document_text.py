"""The result of reading a document: its text, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The text of a document, or why it has none.

    Attributes:
      text: the text, with a blank line between paragraphs.
      title: the title; None if the document has none.
      error: a reason of the ledger (`unreadable`, `too-large`, …); None for a document that was
        read.
      detail: what was observed.
      metas: (name, content) of the metadata, as of a page.
      links: (rel, href) of the links, as of a page.
    """

    text: str = ""
    title: str | None = None
    error: str | None = None
    detail: str | None = None
    metas: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class DocumentError(Exception):
    """A document cannot be read.

    Args:
      reason: a reason of the ledger.
      detail: what was observed.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
