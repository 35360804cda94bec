"""From a page's markup to its main text and to what its head declares."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipelines.main_text import main_text

#: Above this depth the main-content heuristics (quadratic in depth: 3 s at 20,000) are left out.
MAX_DEPTH = 1000
#: Characters kept of a JSON-LD script.
MAX_JSONLD = 64 << 10
#: How many times a page's characters may be read in search of its paragraphs.
READ_AT_MOST = 4
BOILERPLATE = ["nav", "footer", "header", "aside", "form"]
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_UNCLOSED = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "td",
        "th",
        "tr",
        "dt",
        "dd",
        "option",
        "tbody",
        "thead",
        "tfoot",
    ]
)
# A lone space is left alone and no pattern starts with one: that is most of what a text holds.
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]{2,}|[\t\r\f\v\u00a0]")
_BLANK = re.compile(r"\n ?(?:\n ?)+")


@dataclass(frozen=True, slots=True)
class Page:
    """A page's main text with its paragraphs, its title, and what its markup
    declares: `metas` as (name, content), `links` as (rel, href), `jsonld` the texts of its JSON-LD
    scripts, each cut at `MAX_JSONLD`."""

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
    declared = _declared(tree)  # before the tree is changed
    if _deep(markup):
        text = extract_plain_text(
            tree, main_content=False, alt_texts=False, list_bullets=False, skip_elements=BOILERPLATE
        )
    elif extractor == "trafilatura":
        text = _trafilatura(markup)
    else:
        text = main_text(tree, READ_AT_MOST * len(markup))
    return replace(declared, text=tidy(text))


def _declared(tree: HTMLTree) -> Page:
    """The page without its text."""
    root = tree.document
    if root is None:
        return Page("", None, (), ())
    # sliced, since to walk a collection of resiliparse is quadratic
    metas = tuple(
        (name.strip().lower(), m.getattr("content") or "")
        for m in root.query_selector_all("meta")[:]
        if (name := m.getattr("name") or m.getattr("property"))
    )
    links = tuple(
        (str(a.getattr("rel")).lower(), a.getattr("href") or "")
        for a in root.query_selector_all("[rel~=license i]")[:]
    )
    jsonld = tuple(
        script.text[:MAX_JSONLD]
        for script in root.query_selector_all("script[type='application/ld+json' i]")[:]
    )
    return Page("", (tree.title or "").strip() or None, metas, links, jsonld)


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
    squeezed = _SPACES.sub(" ", text.replace("\r\n", "\n"))
    return _BLANK.sub("\n\n", squeezed).replace(" \n\n", "\n\n").strip()


def _deep(markup: str) -> bool:
    """Whether elements are nested too deep, by a count that overlooks those seldom closed.  An
    end tag counts against its own name alone: others must not hide the depth."""
    if markup.count("<") - markup.count("</") < MAX_DEPTH:
        return False
    depth, unclosed = 0, Counter[str]()
    for closing, name in _TAG.findall(markup):
        name = name.lower()
        if name in _UNCLOSED or (closing and not unclosed[name]):
            continue
        step = -1 if closing else 1
        unclosed[name] += step
        depth += step
        if depth > MAX_DEPTH:
            return True
    return False
