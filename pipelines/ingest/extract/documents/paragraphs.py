"""Paragraphs and table cells, as office formats nest them, put together to a text."""

from __future__ import annotations


class Paragraphs:
    """Collects a text: words into paragraphs, paragraphs into the cells of rows.

    A row is a line where each of its cells is one paragraph, else its paragraphs follow each
    other.  Frames put paragraphs into paragraphs: the inner ones come first.
    """

    def __init__(self) -> None:
        self._done: list[str] = []
        self._open: list[list[str]] = []
        self._cells: list[list[list[str]]] = []

    def begin(self) -> None:
        """A paragraph begins."""
        self._open.append([])

    def add(self, words: str) -> None:
        """Text of the open paragraph; none is open between paragraphs, where blanks stand."""
        if self._open:
            self._open[-1].append(words)

    def finish(self) -> None:
        """The paragraph ends."""
        if self._open:
            found = "".join(self._open.pop()).strip()
            if found:
                (self._cells[-1][-1] if self._cells and self._cells[-1] else self._done).append(
                    found
                )

    def row(self) -> None:
        """A row begins."""
        self._cells.append([])

    def cell(self) -> None:
        """A cell of the row begins."""
        if self._cells:
            self._cells[-1].append([])

    def finish_row(self) -> None:
        """The row ends."""
        if not self._cells:
            return
        cells = [cell for cell in self._cells.pop() if cell]
        if all(len(cell) == 1 and "\n" not in cell[0] for cell in cells):
            lines = ["\t".join(cell[0] for cell in cells)] if cells else []
        else:
            lines = [line for cell in cells for line in cell]
        outer = self._cells[-1][-1] if self._cells and self._cells[-1] else self._done
        outer.extend(lines)

    def text(self) -> str:
        """All of it, a blank line between paragraphs."""
        while self._open:
            self.finish()
        while self._cells:
            self.finish_row()
        return "\n\n".join(self._done)
