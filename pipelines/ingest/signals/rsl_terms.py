"""Parse RSL documents: what each `<content>` says about training.

Tokens of the 0.9 draft and of AIPREF are also read (`train-ai`, lists with commas). An element that
is unknown to RSL makes a licence unclear, and an unclear licence reserves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from xml.parsers import expat

from pipelines.ingest.signals.stated_licences import identify_licence

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
    """One `<license>` element.

    Attributes:
      permits, prohibits: the tokens of usage; `permits` is None if the element has none.
      conditions: conditions that close training.
      payment: the type of payment.
      standard: the URL of a standard licence.
    """

    permits: set[str] | None = None
    prohibits: set[str] = field(default_factory=set)
    conditions: list[str] = field(default_factory=list)
    payment: str | None = None
    standard: str | None = None

    @property
    def bars(self) -> str:
        """Why the licence closes training; empty if it does not."""
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
    """One `<content>` element.

    Attributes:
      url: the URL or path that it covers.
      server: whether a licence server must grant the licence.
      licences: its licences.
    """

    url: str
    server: bool = False
    licences: list[Licence] = field(default_factory=list)

    @property
    def bars(self) -> str:
        """Why training is closed; empty if it is open.

        A prohibition in any licence counts. Otherwise one licence that grants is enough.
        """
        if self.server:
            return "a licence server must grant it"
        reasons = [licence.bars for licence in self.licences] or ["no licence"]
        barred = [reason for reason in reasons if reason.startswith("prohibits")]
        return next(iter(barred), "") or ("" if "" in reasons else reasons[0])

    @property
    def standard(self) -> str | None:
        """The URL of the standard licence that opens training; None if there is none."""
        return next((x.standard for x in self.licences if x.standard and not x.bars), None)


class _Reader:
    """The handlers of expat. Elements in RSL's namespace, or in none, count."""

    def __init__(self) -> None:
        self.contents: list[Content] = []
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
        if len(self.path) > MAX_DEPTH or len(self.contents) > MAX_CONTENTS:
            raise ValueError("too large")
        self.text, self.kind = [], attributes.get("type", "").strip().lower()
        if name == "content" and inside == "rsl":
            served = attributes.get("server") is not None
            self.contents.append(Content(attributes.get("url", "").strip(), served))
        elif not self.contents:
            return
        elif name == "license" and inside == "content":
            self.contents[-1].licences.append(Licence())
        elif "license" in self.path and self.contents[-1].licences:
            self._add_term(self.contents[-1].licences[-1], name, inside)

    def _add_term(self, licence: Licence, name: str, inside: str) -> None:
        """Add an element of a licence to it; `inside` is the parent element."""
        if inside in _TEXTS or (inside == "license" and name not in _PARTS):
            licence.conditions.append(f"unknown: {name[:40]}")
        elif name == "payment":
            licence.payment = self.kind or "of no type"
        elif name == "reporting":
            licence.conditions.append("reporting is asked for")
        elif name in ("permits", "prohibits") and self.kind != "usage":
            licence.conditions.append(f"{name} by {self.kind[:40] or 'no type'}")
        elif name in ("custom", "accepts"):
            licence.conditions.append(f"{name} terms of payment")

    def end(self, tag: str) -> None:
        if self.foreign:
            self.foreign -= 1
            return
        name, text = self.path.pop(), "".join(self.text).strip()
        if not self.contents or not self.contents[-1].licences or "license" not in self.path:
            return
        licence = self.contents[-1].licences[-1]
        tokens = {t for t in re.split(r"[\s,]+", text.lower()) if t}
        if name == "permits" and self.kind == "usage":
            licence.permits = (licence.permits or set()) | tokens
        elif name == "prohibits" and self.kind == "usage":
            licence.prohibits |= tokens
        elif name == "amount" and not re.fullmatch(r"0*(?:\.0*)?", text):
            licence.conditions.append("an amount is asked for")
        elif name == "standard":
            licence.standard = text

    def chars(self, data: str) -> None:
        if not self.foreign and self.path and self.path[-1] in _TEXTS:
            self.text.append(data)


def _refuse(*_: object) -> None:
    raise ValueError("a document type is refused: it could declare entities")


@lru_cache(maxsize=256)
def parse_document(body: bytes) -> tuple[Content, ...] | None:
    """Return the contents of a document; None if it is not RSL.

    It is not RSL if it is malformed, has no `<content>`, or has a DOCTYPE. Entities are never
    expanded.
    """
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
    return tuple(reader.contents) if reader.root == "rsl" and reader.contents else None


def is_rsl_document(head: bytes) -> bool:
    """Whether the first 4 KiB of a body show the root element of RSL, after any prologue."""
    rest = head[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!--")):
        rest = rest.partition(b"?>" if rest[1:2] == b"?" else b"-->")[2].lstrip()
    return _ROOT.match(rest) is not None
