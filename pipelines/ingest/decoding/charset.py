"""From bytes to text: which charset, and why.

The order: byte-order mark, HTTP charset, `<meta>`, strict UTF-8, then the letters of the region
(`pipelines.ingest.decoding.letter_model`), and chardet 7 where these settle nothing.  A declared charset that the
bytes contradict is overruled: bytes that are UTF-8 are UTF-8, and a legacy charset gives way to
another only where the letters leave no doubt, as with KOI8-U called KOI8-R or KZ-1048 called
windows-1251.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import numpy as np

from pipelines.ingest.decoding import letter_model

DETECT_BYTES = 1 << 16
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_XML = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([A-Za-z0-9_:.-]{2,40})")
_HTTP = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_ALIASES = {
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "shift_jis": "cp932",
    "unicode": "utf-16",
    "kz-1048": "kz1048",
    "strk1048-2002": "kz1048",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "gb2312": "gbk",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "latin5": "cp1254",
    "tis-620": "cp874",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
}
#: Python knows codecs that no page may choose: `idna` is quadratic, `unicode_escape` no charset.
CHARSETS = frozenset(
    {
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        *(f"iso8859-{n}" for n in (*range(2, 12), *range(13, 17))),
        *(
            f"cp{n}"
            for n in (
                437,
                720,
                737,
                775,
                850,
                852,
                855,
                857,
                858,
                862,
                864,
                866,
                869,
                874,
                932,
                949,
                950,
                1006,
                1125,
                *range(1250, 1259),
            )
        ),
        "koi8-r",
        "koi8-u",
        "koi8-t",
        "kz1048",
        "ptcp154",
        "mac-cyrillic",
        "mac-roman",
        "mac-greek",
        "mac-turkish",
        "mac-latin2",
        "tis-620",
        "gbk",
        "gb18030",
        "hz",
        "big5",
        "big5hkscs",
        "euc_jp",
        "euc_kr",
        "iso2022_jp",
        "iso2022_kr",
        "johab",
    }
)


#: In UTF-16 and UTF-32 without a mark, and in ISO-2022, which all are valid UTF-8.
_WIDE = (b"\0", b"\x04", b"\x1b")
#: How sure the letters must be to overrule what is declared: how closely they fit a language, and
#: the log of how much better than as declared, at least and per character counted.
SLACK, DOUBT = 0.3, 3.0
GAP, GAP_EACH = 12.0, 0.1
MIN_COUNTED = 30


@dataclass(frozen=True, slots=True)
class DecodedText:
    """Text, the charset that was declared (None: none was) and the one that was used."""

    text: str
    declared: str | None
    used: str

    @property
    def overruled(self) -> bool:
        """Whether the bytes contradict what was declared."""
        return self.declared not in (None, self.used)


def decode(
    payload: bytes, content_type: str | None = None, html: bool = False
) -> DecodedText | None:
    """Decode a body.

    Args:
      payload: the body, transfer and content encodings undone.
      content_type: the HTTP header's value, with its charset parameter.
      html: whether a `<meta>` in the first 4 KiB may declare a charset; an XML declaration may
        always.

    Returns:
      The text, or None where nothing decodes it.
    """
    declared = _declared_charset(payload, content_type, html)
    for mark, name in BOMS:
        if payload.startswith(mark):
            text = _decode_strictly(payload, name)
            if text is not None:
                return DecodedText(text, declared, name.removesuffix("-sig"))
    if declared and (declared.startswith(("utf-16", "utf-32")) or payload.isascii()):
        text = _decode_strictly(payload, declared)
        if text is not None:
            return DecodedText(text, declared, declared)
    if any(payload.find(mark, 0, DETECT_BYTES) >= 0 for mark in _WIDE):
        wide = _detect_charset(payload)
        text = (
            _decode_strictly(payload, wide)
            if wide and wide.startswith(("utf-", "iso2022"))
            else None
        )
        if wide and text is not None:
            return DecodedText(text, declared, wide)
    text = _decode_strictly(payload, "utf-8")
    if text is not None:
        return DecodedText(text, declared, "utf-8")
    if _is_nearly_utf8(payload):
        return DecodedText(payload.decode("utf-8", "replace"), declared, "utf-8")
    return _decode_legacy(payload, declared)


def _decode_legacy(payload: bytes, declared: str | None) -> DecodedText | None:
    """Decode bytes that are not UTF-8."""
    fit = letter_model.fit_charsets(payload)
    if declared and declared != "utf-8" and not (fit and contradicts(fit, declared)):
        text = _decode_strictly(payload, declared)
        if text is not None:
            return DecodedText(text, declared, declared)
    found = fit.best.charset if fit and fit.best.plausible() else _detect_charset(payload)
    for name in (found, declared):
        text = _decode_leniently(payload, name) if name else None
        if name and text is not None:
            return DecodedText(text, declared, name)
    return None


def contradicts(fit: letter_model.Fit, charset: str) -> bool:
    """Whether the letters leave no doubt that bytes read as `charset` are another's."""
    best = fit.best
    if best.charset == charset or not best.plausible(SLACK, DOUBT):
        return False
    if charset not in fit.scores:
        return best.counted >= MIN_COUNTED
    return best.score - fit.scores[charset] > GAP + GAP_EACH * best.counted


def _declared_charset(payload: bytes, content_type: str | None, html: bool) -> str | None:
    found = _HTTP.search(content_type or "")
    name = _canonical_name(found[1]) if found else None
    inside = _XML.search(payload[:512]) or (_META.search(payload[:4096]) if html else None)
    if name is None and inside:
        name = _canonical_name(inside[1].decode("ascii"))
        if name and name.startswith(("utf-16", "utf-32")):
            return "utf-8"  # it was read as ASCII
    return name


def _canonical_name(name: str | None) -> str | None:
    if not name:
        return None
    try:
        found = codecs.lookup(_ALIASES.get(name.lower(), name)).name
    except LookupError:
        return None
    return found if found in CHARSETS else None


def _decode_strictly(payload: bytes, charset: str) -> str | None:
    try:
        return payload.decode(charset)
    except (UnicodeError, LookupError, ValueError):
        return None


def _decode_leniently(payload: bytes, charset: str) -> str | None:
    """A stray byte must not cost the page; many of them mean that it is no text."""
    text = _decode_strictly(payload, charset)
    if text is None:
        text = payload.decode(charset, "replace")
        if text.count("\ufffd") > max(3, len(text) // 200):
            return None
    return text


def _is_nearly_utf8(payload: bytes) -> bool:
    """Whether bytes are UTF-8 but for a few strays, or a torn end: nearly all characters are
    followed by the bytes that their first byte announces."""
    data = np.frombuffer(payload[:DETECT_BYTES], np.uint8)
    high = data[data >= 128]
    lead = int((high >= 0xC2).sum() + (high >= 0xE0).sum() + (high >= 0xF0).sum())
    rest = int((high < 0xC0).sum())
    if rest < 4 or abs(lead - rest) > max(3, rest // 50):
        return False
    text = payload[:DETECT_BYTES].decode("utf-8", "replace")
    return text.count("\ufffd") <= max(3, rest // 50)


def _detect_charset(payload: bytes) -> str | None:
    import chardet

    return _canonical_name(chardet.detect(payload[:DETECT_BYTES])["encoding"])
