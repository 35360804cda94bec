"""What a reader of a document gives: its text, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A document's text with a blank line between paragraphs, its title, and what its metadata
    says to readers (`metas`, as of a page); or a reason of the ledger and what was seen."""

    text: str = ""
    title: str | None = None
    error: str | None = None
    detail: str | None = None
    metas: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class DocumentError(Exception):
    """A reason of the ledger, with its detail, on the way out of a reader."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
