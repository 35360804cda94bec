"""RSL documents: what their XML says of training, content by content.

Tokens of the 0.9 draft and of AIPREF are understood too (`train-ai`, lists with commas).  An
element that RSL does not know makes a licence unclear, and what is unclear bars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from xml.parsers import expat

from pipelines.ingest.signals.licences import identify_licence

MEDIA_TYPE = "application/rsl+xml"
NAMESPACE = "https://rslstandard.org/rsl"
MAX_BYTES = 4 << 20
MAX_CONTENTS = 20_000
MAX_DEPTH = 50

_TRAINING = frozenset({"all", "ai-all", "ai-train", "train-ai"})
_BARRING = _TRAINING | {"ai", "ai-training", "genai", "train-genai", "tdm"}
_PARTS = frozenset({"permits", "prohibits", "payment", "reporting", "legal"})
_TEXTS = frozenset({"permits", "prohibits", "amount", "standard"})
_ROOT = re.compile(rb"<(?:\w{1,20}:)?rsl[\s>/]")


@dataclass
class Licence:
    """One `<license>`: `bars` says why it leaves training closed; empty: it does not."""

    permits: set[str] | None = None
    prohibits: set[str] = field(default_factory=set)
    conditions: list[str] = field(default_factory=list)
    payment: str | None = None
    standard: str | None = None

    @property
    def bars(self) -> str:
        if barred := sorted(self.prohibits & _BARRING):
            return f"prohibits: {' '.join(barred)}"
        if self.permits is not None and not self.permits & _TRAINING:
            return f"permits only: {' '.join(sorted(self.permits))}"
        if self.payment not in (None, "free", "attribution"):
            return f"payment: {self.payment}"
        if self.standard is not None and identify_licence(self.standard) is None:
            return "a licence not known here"
        return "; ".join(self.conditions)


@dataclass
class Content:
    """One `<content>`: the URL or path that it covers, and why training is closed (empty: it is
    open)."""

    url: str
    server: bool = False
    licences: list[Licence] = field(default_factory=list)

    @property
    def bars(self) -> str:
        """A prohibition in any licence stands; else one licence that grants is enough."""
        if self.server:
            return "a licence server must grant it"
        reasons = [one.bars for one in self.licences] or ["no licence"]
        barred = [reason for reason in reasons if reason.startswith("prohibits")]
        return next(iter(barred), "") or ("" if "" in reasons else reasons[0])

    @property
    def standard(self) -> str | None:
        """The URL of the standard licence that opens it, if one does."""
        return next((one.standard for one in self.licences if one.standard and not one.bars), None)


class _Reader:
    """Handlers of expat; elements of RSL's namespace, or of none, count."""

    def __init__(self) -> None:
        self.found: list[Content] = []
        self.path: list[str] = []
        self.foreign = 0
        self.text: list[str] = []
        self.root = ""
        self.kind = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if not self.path:
            self.root = name if space in ("", NAMESPACE) else ""
        if self.foreign or space not in ("", NAMESPACE):
            self.foreign += 1
            return
        inside = self.path[-1] if self.path else ""
        self.path.append(name)
        if len(self.path) > MAX_DEPTH or len(self.found) > MAX_CONTENTS:
            raise ValueError("too large")
        self.text, self.kind = [], attributes.get("type", "").strip().lower()
        if name == "content" and inside == "rsl":
            served = attributes.get("server") is not None
            self.found.append(Content(attributes.get("url", "").strip(), served))
        elif not self.found:
            return
        elif name == "license" and inside == "content":
            self.found[-1].licences.append(Licence())
        elif "license" in self.path and self.found[-1].licences:
            self.within(self.found[-1].licences[-1], name, inside)

    def within(self, one: Licence, name: str, inside: str) -> None:
        if inside in _TEXTS or (inside == "license" and name not in _PARTS):
            one.conditions.append(f"unknown: {name[:40]}")
        elif name == "payment":
            one.payment = self.kind or "of no type"
        elif name == "reporting":
            one.conditions.append("reporting is asked for")
        elif name in ("permits", "prohibits") and self.kind != "usage":
            one.conditions.append(f"{name} by {self.kind[:40] or 'no type'}")
        elif name in ("custom", "accepts"):
            one.conditions.append(f"{name} terms of payment")

    def end(self, tag: str) -> None:
        if self.foreign:
            self.foreign -= 1
            return
        name, text = self.path.pop(), "".join(self.text).strip()
        if not self.found or not self.found[-1].licences or "license" not in self.path:
            return
        one = self.found[-1].licences[-1]
        tokens = {t for t in re.split(r"[\s,]+", text.lower()) if t}
        if name == "permits" and self.kind == "usage":
            one.permits = (one.permits or set()) | tokens
        elif name == "prohibits" and self.kind == "usage":
            one.prohibits |= tokens
        elif name == "amount" and not re.fullmatch(r"0*(?:\.0*)?", text):
            one.conditions.append("an amount is asked for")
        elif name == "standard":
            one.standard = text

    def chars(self, data: str) -> None:
        if not self.foreign and self.path and self.path[-1] in _TEXTS:
            self.text.append(data)


def _refuse(*_: object) -> None:
    raise ValueError("a document type is refused: it could declare entities")


@lru_cache(maxsize=256)
def parse_document(body: bytes) -> tuple[Content, ...] | None:
    """The contents of a document; None for what is no RSL: not well-formed, without `<content>`,
    with a DOCTYPE (no entity is ever expanded)."""
    if len(body) > MAX_BYTES:
        return None
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.chars
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        return None
    return tuple(reader.found) if reader.root == "rsl" and reader.found else None


def is_rsl_document(head: bytes) -> bool:
    """Whether a body starts as an RSL document does: its root, after a prologue of 4 KiB."""
    rest = head[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!--")):
        rest = rest.partition(b"?>" if rest[1:2] == b"?" else b"-->")[2].lstrip()
    return _ROOT.match(rest) is not None
