"""Join the nested paragraphs and table cells of office formats to one text."""

from __future__ import annotations


class Paragraphs:
    """Collects words into paragraphs, and paragraphs into the cells of table rows.

    A row becomes one line if each of its cells is one paragraph. Otherwise its paragraphs follow
    each other. Frames nest paragraphs: the inner ones come first.
    """

    def __init__(self) -> None:
        self._done: list[str] = []
        self._open: list[list[str]] = []
        self._cells: list[list[list[str]]] = []

    def begin(self) -> None:
        """Begin a paragraph."""
        self._open.append([])

    def add(self, words: str) -> None:
        """Add text to the open paragraph. Blanks between paragraphs are ignored."""
        if self._open:
            self._open[-1].append(words)

    def finish(self) -> None:
        """End the paragraph."""
        if self._open:
            paragraph = "".join(self._open.pop()).strip()
            if paragraph:
                self._outer().append(paragraph)

    def row(self) -> None:
        """Begin a table row."""
        self._cells.append([])

    def cell(self) -> None:
        """Begin a cell of the row."""
        if self._cells:
            self._cells[-1].append([])

    def finish_row(self) -> None:
        """End the row."""
        if not self._cells:
            return
        cells = [cell for cell in self._cells.pop() if cell]
        if all(len(cell) == 1 and "\n" not in cell[0] for cell in cells):
            lines = ["\t".join(cell[0] for cell in cells)] if cells else []
        else:
            lines = [line for cell in cells for line in cell]
        self._outer().extend(lines)

    def _outer(self) -> list[str]:
        """The open cell, or the text if no cell is open."""
        return self._cells[-1][-1] if self._cells and self._cells[-1] else self._done

    def text(self) -> str:
        """Return the complete text, with a blank line between paragraphs."""
        while self._open:
            self.finish()
        while self._cells:
            self.finish_row()
        return "\n\n".join(self._done)
