"""From a page's markup to its main text and to what its head declares."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

#: Above this depth the main-content heuristics (quadratic in depth: 3 s at 20,000) are left out.
MAX_DEPTH = 1000
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
    """A page's main text with its paragraphs, its title, and the pairs that its markup
    declares: `metas` as (name, content), `links` as (rel, href)."""

    text: str
    title: str | None
    metas: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]


def extract(markup: str) -> Page:
    """Main text without navigation and footers (resiliparse), and the page's declarations."""
    markup = markup.replace("\0", "")
    tree = HTMLTree.parse(markup)
    if _deep(markup):
        text = extract_plain_text(
            tree, main_content=False, alt_texts=False, list_bullets=False, skip_elements=BOILERPLATE
        )
    else:
        text = extract_plain_text(tree, main_content=True, alt_texts=False, list_bullets=False)
    root = tree.document
    if root is None:
        return Page(tidy(text), None, (), ())
    metas = tuple(
        (name.strip().lower(), m.getattr("content") or "")
        for m in root.get_elements_by_tag_name("meta")
        if (name := m.getattr("name") or m.getattr("property"))
    )
    links = tuple(
        (str(a.getattr("rel")).lower(), a.getattr("href") or "")
        for a in root.query_selector_all("[rel~=license]")
    )
    return Page(tidy(text), (tree.title or "").strip() or None, metas, links)


def tidy(text: str) -> str:
    """Runs of blanks squeezed, blank lines to one between paragraphs, ends trimmed."""
    squeezed = _SPACES.sub(" ", text.replace("\r\n", "\n"))
    return _BLANK.sub("\n\n", squeezed).replace(" \n\n", "\n\n").strip()


def _deep(markup: str) -> bool:
    """Whether elements are nested too deep, by a count that overlooks those seldom closed.  An
    end tag counts against its own name alone: others must not hide the depth."""
    if markup.count("<") < MAX_DEPTH:
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
