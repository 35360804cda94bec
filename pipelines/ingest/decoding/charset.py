"""Find the charset of a body and decode it.

The order is: byte-order mark, HTTP charset, `<meta>`, strict UTF-8, the letter model of the
region (`pipelines.ingest.decoding.letter_model`), chardet 7. A declared charset is overruled if
the bytes contradict it. Valid UTF-8 is always read as UTF-8. A declared legacy charset is replaced
only if the letters leave no doubt, for example KOI8-U declared as KOI8-R.
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
#: The charsets that a page may declare. Python's other codecs are excluded: `idna` takes quadratic
#: time, `unicode_escape` is not a charset.
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


#: Bytes that occur in UTF-16 and UTF-32 without a mark and in ISO-2022. All three can also be
#: valid UTF-8.
_WIDE = (b"\0", b"\x04", b"\x1b")
#: Thresholds to overrule a declared charset. SLACK and DOUBT bound how far the letters may diverge
#: from a language. GAP and GAP_EACH are the lead in log likelihood: at least, and per character.
SLACK, DOUBT = 0.3, 3.0
GAP, GAP_EACH = 12.0, 0.1
MIN_COUNTED = 30


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A decoded text, the declared charset (None: none was declared), and the charset used."""

    text: str
    declared: str | None
    used: str

    @property
    def overruled(self) -> bool:
        """Whether another charset was used than the declared one."""
        return self.declared not in (None, self.used)


def decode(
    payload: bytes, content_type: str | None = None, html: bool = False
) -> DecodedText | None:
    """Decode a body.

    Args:
      payload: the body, after transfer and content encodings are undone.
      content_type: the value of the HTTP header, with its charset parameter.
      html: whether a `<meta>` in the first 4 KiB may declare a charset. An XML declaration
        always may.

    Returns:
      The decoded text; None if no charset decodes the bytes.
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
    """Decode bytes that are not UTF-8; None if no charset fits."""
    fit = letter_model.fit_charsets(payload)
    if declared and declared != "utf-8" and not (fit and contradicts(fit, declared)):
        text = _decode_strictly(payload, declared)
        if text is not None:
            return DecodedText(text, declared, declared)
    detected = fit.best.charset if fit and fit.best.plausible() else _detect_charset(payload)
    for name in (detected, declared):
        text = _decode_leniently(payload, name) if name else None
        if name and text is not None:
            return DecodedText(text, declared, name)
    return None


def contradicts(fit: letter_model.Fit, charset: str) -> bool:
    """Whether the letters leave no doubt that bytes are not in `charset`."""
    best = fit.best
    if best.charset == charset or not best.plausible(SLACK, DOUBT):
        return False
    if charset not in fit.scores:
        return best.counted >= MIN_COUNTED
    return best.score - fit.scores[charset] > GAP + GAP_EACH * best.counted


def _declared_charset(payload: bytes, content_type: str | None, html: bool) -> str | None:
    """Return the declared charset by its Python name; None if there is none in `CHARSETS`."""
    in_header = _HTTP.search(content_type or "")
    name = _canonical_name(in_header[1]) if in_header else None
    in_body = _XML.search(payload[:512]) or (_META.search(payload[:4096]) if html else None)
    if name is None and in_body:
        name = _canonical_name(in_body[1].decode("ascii"))
        if name and name.startswith(("utf-16", "utf-32")):
            return "utf-8"  # the declaration itself was readable as ASCII
    return name


def _canonical_name(name: str | None) -> str | None:
    if not name:
        return None
    try:
        canonical = codecs.lookup(_ALIASES.get(name.lower(), name)).name
    except LookupError:
        return None
    return canonical if canonical in CHARSETS else None


def _decode_strictly(payload: bytes, charset: str) -> str | None:
    try:
        return payload.decode(charset)
    except (UnicodeError, LookupError, ValueError):
        return None


def _decode_leniently(payload: bytes, charset: str) -> str | None:
    """Decode bytes and replace stray ones; None if more than 0.5 % of the text is replaced."""
    text = _decode_strictly(payload, charset)
    if text is None:
        text = payload.decode(charset, "replace")
        if text.count("\ufffd") > max(3, len(text) // 200):
            return None
    return text


def _is_nearly_utf8(payload: bytes) -> bool:
    """Whether bytes are UTF-8 except for a few stray bytes or a truncated end.

    The number of continuation bytes must nearly equal the number that the lead bytes announce.
    """
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
