"""From a page's markup to its main text and to what its head declares."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from resiliparse.parse.html import HTMLTree

from pipelines.ingest.extract.main_text import depth_limit, main_text

#: The media type of RSL terms; links and documents stand among a page's metas under it.
RSL = "application/rsl+xml"
_RSL = f'link[rel~=license][type="{RSL}"], script[type="{RSL}"]'
#: Characters kept of a JSON-LD script.
MAX_JSONLD = 64 << 10
#: How many times a page's characters may be read in search of its paragraphs.
READ_AT_MOST = 4
_DECLARING = "meta, [rel~=license i], script[type='application/ld+json' i]"
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]{2,}|[\t\r\f\v\u00a0]")
_BLANK = re.compile(r"\n ?(?:\n ?)+")
#: Without one of these the patterns change nothing; to look for them takes far less time.
_UNTIDY_SPACES = ("  ", "\t", "\r", "\f", "\v", "\u00a0")
_UNTIDY_LINES = ("\n ", "\n\n\n")


@dataclass(frozen=True, slots=True)
class Page:
    """A page's main text with its paragraphs, its title, and what its markup
    declares: `metas` as (name, content), `links` as (rel, href), `jsonld` the texts of its JSON-LD
    scripts, each cut at `MAX_JSONLD`.  RSL links and documents stand among the metas under their
    media type."""

    text: str
    title: str | None
    metas: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    jsonld: tuple[str, ...] = ()


def extract(markup: str, extractor: str = "resiliparse") -> Page:
    """Main text without navigation and footers, and the page's declarations.

    Args:
      markup: the decoded page.
      extractor: `resiliparse` (with `main_text`'s rules) or `trafilatura`.

    Raises:
      ImportError: trafilatura is asked for and not installed.
      ValueError: there is no such extractor.
    """
    if extractor not in ("resiliparse", "trafilatura"):
        raise ValueError(f"no such extractor: {extractor}")
    markup = markup.replace("\0", "")
    tree = HTMLTree.parse(markup)
    declared = _read_declarations(tree, markup)  # before the tree is changed
    nested = depth_limit(markup, tree)
    if extractor == "trafilatura" and nested is None:
        text = _trafilatura(markup)
    else:
        text = main_text(markup, tree, READ_AT_MOST * len(markup), nested)
    return replace(declared, text=tidy(text))


def _read_declarations(tree: HTMLTree, markup: str) -> Page:
    """The page without its text."""
    root = tree.document
    if root is None:
        return Page("", None, (), ())
    metas: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    jsonld: list[str] = []
    # one query for all, and sliced: to walk a collection of resiliparse is quadratic
    for element in root.query_selector_all(_DECLARING)[:]:
        if element.tag == "meta":
            if name := element.getattr("name") or element.getattr("property"):
                metas.append((name.strip().lower(), element.getattr("content") or ""))
        elif element.tag == "script":
            jsonld.append((element.text or "")[:MAX_JSONLD])
        else:
            links.append((str(element.getattr("rel")).lower(), element.getattr("href") or ""))
    if RSL in markup:  # a search of the tree costs more
        found = root.query_selector_all(_RSL)[:]
        metas += [(RSL, a.getattr("href") or a.text or "") for a in found]
    return Page("", (tree.title or "").strip() or None, tuple(metas), tuple(links), tuple(jsonld))


def _trafilatura(markup: str) -> str:
    try:
        from trafilatura import extract as extracted
    except ImportError as error:
        raise ImportError("the extractor trafilatura needs: pip install 'tamga[extraction]'") from (
            error
        )
    text = extracted(markup, fast=True, include_comments=False) or ""
    return text.replace("\n", "\n\n")  # each of its lines is a paragraph


def tidy(text: str) -> str:
    """Runs of blanks squeezed, blank lines to one between paragraphs, ends trimmed."""
    text = text.replace("\r\n", "\n")
    if any(mark in text for mark in _UNTIDY_SPACES):
        text = _SPACES.sub(" ", text)
    if any(mark in text for mark in _UNTIDY_LINES):
        text = _BLANK.sub("\n\n", text)
    return text.replace(" \n\n", "\n\n").strip()
