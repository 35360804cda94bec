"""Extract the main text of an HTML page, and what its markup declares."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from resiliparse.parse.html import HTMLTree

from pipelines.ingest.extract.main_text import depth_limit, main_text

#: The media type of RSL terms. RSL links and documents of a page are metas of this name.
RSL = "application/rsl+xml"
_RSL = f'link[rel~=license][type="{RSL}"], script[type="{RSL}"]'
#: The most characters kept of a JSON-LD script.
MAX_JSONLD = 64 << 10
#: The search for paragraphs may read this many times the characters of the page.
READ_AT_MOST = 4
_DECLARING = "meta, [rel~=license i], script[type='application/ld+json' i]"
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]{2,}|[\t\r\f\v\u00a0]")
_BLANK = re.compile(r"\n ?(?:\n ?)+")
#: Without one of these the patterns change nothing. The search for them is much faster.
_UNTIDY_SPACES = ("  ", "\t", "\r", "\f", "\v", "\u00a0")
_UNTIDY_LINES = ("\n ", "\n\n\n")


@dataclass(frozen=True, slots=True)
class Page:
    """The main text of a page, and its declarations.

    Attributes:
      text: the main text, with a blank line between paragraphs.
      title: the title; None if the page has none.
      metas: (name, content) pairs; RSL links and documents under their media type.
      links: (rel, href) pairs.
      jsonld: the texts of JSON-LD scripts, each cut at `MAX_JSONLD`.
    """

    text: str
    title: str | None
    metas: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    jsonld: tuple[str, ...] = ()


def extract(markup: str, extractor: str = "resiliparse") -> Page:
    """Extract the main text of a page, without navigation and footers, and its declarations.

    Args:
      markup: the decoded page.
      extractor: `resiliparse` (with the rules of `main_text`) or `trafilatura`.

    Raises:
      ImportError: trafilatura is not installed.
      ValueError: the extractor is unknown.
    """
    if extractor not in ("resiliparse", "trafilatura"):
        raise ValueError(f"extractor {extractor}: unknown; allowed are resiliparse and trafilatura")
    markup = markup.replace("\0", "")
    tree = HTMLTree.parse(markup)
    declarations = _read_declarations(tree, markup)  # before the tree is changed
    max_depth = depth_limit(markup, tree)
    if extractor == "trafilatura" and max_depth is None:
        text = _trafilatura(markup)
    else:
        text = main_text(markup, tree, READ_AT_MOST * len(markup), max_depth)
    return replace(declarations, text=tidy(text))


def _read_declarations(tree: HTMLTree, markup: str) -> Page:
    """Return the page with its declarations and without text."""
    root = tree.document
    if root is None:
        return Page("", None, (), ())
    metas: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    jsonld: list[str] = []
    # One query for all elements, and sliced: iterating a resiliparse collection is quadratic.
    for element in root.query_selector_all(_DECLARING)[:]:
        if element.tag == "meta":
            if name := element.getattr("name") or element.getattr("property"):
                metas.append((name.strip().lower(), element.getattr("content") or ""))
        elif element.tag == "script":
            jsonld.append((element.text or "")[:MAX_JSONLD])
        else:
            links.append((str(element.getattr("rel")).lower(), element.getattr("href") or ""))
    if RSL in markup:  # a search of the tree takes longer
        elements = root.query_selector_all(_RSL)[:]
        metas += [(RSL, e.getattr("href") or e.text or "") for e in elements]
    return Page("", (tree.title or "").strip() or None, tuple(metas), tuple(links), tuple(jsonld))


def _trafilatura(markup: str) -> str:
    try:
        from trafilatura import extract as trafilatura_extract
    except ImportError as error:
        raise ImportError(
            "extractor trafilatura: not installed; run: pip install 'tamga[extraction]'"
        ) from error
    text = trafilatura_extract(markup, fast=True, include_comments=False) or ""
    return text.replace("\n", "\n\n")  # each of its lines is a paragraph


def tidy(text: str) -> str:
    """Reduce blanks to one, blank lines to one between paragraphs, and strip the ends."""
    text = text.replace("\r\n", "\n")
    if any(mark in text for mark in _UNTIDY_SPACES):
        text = _SPACES.sub(" ", text)
    if any(mark in text for mark in _UNTIDY_LINES):
        text = _BLANK.sub("\n\n", text)
    return text.replace(" \n\n", "\n\n").strip()
