"""Extract text from RTF 1.9, in the code pages of its fonts and in `\\u`; notes come last.

Field codes, headers, footers, hidden and deleted text are left out. The file is read token by token
with one pattern that cannot backtrack, so that time grows linearly with its length.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText

MAX_DEPTH = 10_000
_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9A-Fa-f]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)",
    re.S,
)
_CHARACTERS = {
    "par": "\n\n", "sect": "\n\n", "page": "\n\n", "line": "\n", "row": "\n\n", "nestrow": "\n\n",
    "cell": "\t", "nestcell": "\t", "tab": "\t", "emdash": "—", "endash": "–", "bullet": "•",
    "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "emspace": " ",
    "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "\u2011", b"\n": "\n\n", b"\r": "\n\n"}
_SKIPPED = frozenset(
    [
        "annotation", "atnauthor", "atndate", "atnicn", "atnid", "atnref", "author",
        "bkmkend", "bkmkstart", "buptim", "category", "colortbl", "comment", "company",
        "creatim", "datafield", "datastore", "doccomm", "fldinst", "footer", "footerf",
        "footerl", "footerr", "ftncn", "ftnsep", "ftnsepc", "generator", "header",
        "headerf", "headerl", "headerr", "hlinkbase", "keywords", "keycode",
        "latentstyles", "listtable", "listoverridetable", "listtext", "manager",
        "nonshppict", "objdata", "operator", "pict", "pntext", "pntxta", "pntxtb",
        "printim", "revtbl", "revtim", "rsidtbl", "rxe", "shpinst", "stylesheet",
        "subject", "tc", "template", "themedata", "txe", "userprops", "xe", "xmlnstbl",
        "filetbl", "info",
    ]
)  # fmt: skip
_PAGES = {
    0: "cp1252", 77: "mac-roman", 89: "mac-cyrillic", 128: "cp932", 129: "cp949", 130: "johab",
    134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850",
}  # fmt: skip
_NUMBERED = {10000: "mac-roman", 10007: "mac-cyrillic", 65001: "utf-8", 936: "gbk", 1361: "johab"}
_SYMBOL_FONT = 2


@dataclass(frozen=True, slots=True)
class _State:
    """The state that a group inherits: where its text goes, and how it is decoded."""

    target: str = "text"  # text | notes | title | fonts | ""
    page: str | None = None  # the code page of the font; None: that of the document
    fallback: int = 1  # characters after a `\u` that replace it in old readers
    hidden: bool = False


class _Reader:
    """Reads the tokens of a file and collects text, notes and title in `parts`."""

    def __init__(self) -> None:
        self.page, self.fonts = "cp1252", dict[int, str]()
        self.font: int | None = None
        self.default = 0
        self.parts: dict[str, list[str]] = {"text": [], "notes": [], "title": []}
        self.pending, self.skip = bytearray(), 0
        self.state, self.stack = _State(), list[_State]()
        self.optional = False  # `\*` was just read

    def read(self, payload: bytes) -> None:
        """Read a complete file.

        Raises:
          DocumentError: `unreadable` if groups are nested too deep.
        """
        position, size = 0, len(payload)
        while position < size and (token := _TOKEN.match(payload, position)):
            position = token.end()
            word, number, byte, symbol, brace, plain = token.groups()
            if plain is not None:
                self._add_bytes(plain)
            elif byte is not None:
                self._add_bytes(bytes.fromhex(byte.decode()))
            elif word is not None:
                value = int(number) if number else None
                if word == b"bin" and value and value > 0:
                    position += value
                self._apply_word(word.decode(), value)
            elif brace == b"{":
                if len(self.stack) >= MAX_DEPTH:
                    raise DocumentError("unreadable", f"groups nested more than {MAX_DEPTH} deep")
                self._flush()
                self.stack.append(self.state)
            elif brace == b"}":
                self._flush()
                if not self.stack:
                    break
                self.state, self.skip = self.stack.pop(), 0
                if not self.stack:
                    break  # bytes after the document do not belong to it
            elif symbol is not None:
                self._symbol(symbol)
        self._flush()

    def _add_bytes(self, data: bytes) -> None:
        """Add bytes in the current code page, less those that replace a `\\u`."""
        if self.skip:
            skipped = min(self.skip, len(data))
            self.skip -= skipped
            data = data[skipped:]
        if self.state.target in self.parts and not self.state.hidden:
            self.pending += data

    def _flush(self) -> None:
        """Decode the pending bytes and add them to the text."""
        if self.pending:
            page = self.state.page or self.page
            if page != "symbol":
                self.parts[self.state.target].append(self.pending.decode(page, "replace"))
            self.pending.clear()

    def _add_text(self, text: str) -> None:
        self._flush()
        if self.state.target in self.parts and not self.state.hidden:
            self.parts[self.state.target].append(text)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self.optional = True
        elif symbol in b"\\{}":
            self._add_bytes(symbol)
        elif symbol in _SYMBOLS:
            self._add_text(_SYMBOLS[symbol])

    def _apply_word(self, word: str, number: int | None) -> None:
        """Apply a control word, with its numeric parameter."""
        optional, self.optional = self.optional, False
        state = self.state
        if word == "u":
            self._add_unicode(number or 0)
        elif word in _CHARACTERS:
            self._add_text(_CHARACTERS[word])
        elif word == "uc":
            self.state = replace(state, fallback=min(max(number or 0, 0), 16))
        elif word == "f":
            self._select_font(number or 0)
        elif word == "fcharset" and state.target == "fonts" and self.font is not None:
            page = "symbol" if number == _SYMBOL_FONT else _PAGES.get(number or 0)
            if page and number != 0:  # many fonts declare 0 without meaning it
                self.fonts[self.font] = page
        elif word in ("ansicpg", "cpg"):
            self._set_code_page(number or 0, word == "cpg")
        elif word == "deff":
            self.default = number or 0
        elif word in ("plain", "v", "deleted"):
            self._flush()
            hidden = word != "plain" and number != 0
            page = self.fonts.get(self.default) if word == "plain" else state.page
            self.state = replace(state, hidden=hidden, page=page)
        elif word in ("mac", "pc", "pca"):
            self.page = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "fonttbl":
            self._enter("fonts")
        elif word == "footnote":
            self._add_text("\n\n" if state.target == "notes" else "")
            self._enter("notes" if state.target else "")
            self._add_text("\n\n")
        elif word == "title" and state.target == "" and len(self.stack) == 3:
            self._enter("title")
        elif word in _SKIPPED or optional:
            self._enter("")

    def _enter(self, target: str) -> None:
        self._flush()
        self.state = replace(self.state, target=target)

    def _add_unicode(self, number: int) -> None:
        self._add_text(chr(number & 0xFFFF))
        self.skip = self.state.fallback

    def _select_font(self, number: int) -> None:
        if self.state.target == "fonts":
            self.font = number
        elif self.fonts.get(number) != self.state.page:
            self._flush()
            self.state = replace(self.state, page=self.fonts.get(number))

    def _set_code_page(self, number: int, of_font: bool) -> None:
        """Set the code page of the font or document; an unknown number is ignored."""
        name = _NUMBERED.get(number, f"cp{number}")
        try:
            "".encode(name)
            codecs.lookup(name)
        except LookupError:
            return
        if not of_font:
            self.page = name
        elif self.font is not None:
            self.fonts[self.font] = name


def _join_surrogates(parts: list[str]) -> str:
    """Join pieces of text. Surrogates from single `\\u` words become characters."""
    joined = "".join(parts)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").strip()


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract the text of an RTF file; its notes come last. `limit` bounds the file."""
    payload = payload.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not payload.startswith(b"{\\rt"):
        raise DocumentError("unreadable", "no RTF header")
    if len(payload) > limit:
        raise DocumentError("too-large", f"{len(payload)} bytes")
    reader = _Reader()
    reader.read(payload)
    texts = [_join_surrogates(reader.parts[name]) for name in ("text", "notes")]
    return DocumentText(
        "\n\n".join(t for t in texts if t), _join_surrogates(reader.parts["title"]) or None
    )
