"""A page's main text: resiliparse inside the element that holds the running text.

Resiliparse alone keeps what surrounds an article: headlines, captions, teasers, cookie notices.
Here the element is found first in which the paragraphs stand (after the idea of Arc90's
Readability), what is not running text in it is passed over, and resiliparse reads the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

#: The main-content heuristics take time by elements and depth (3 s at 20,000 nested; 4 s at 900
#: around 30,000): above this depth, or this product of tags and depth, they are left out.
MAX_DEPTH, MAX_STEPS = 1000, 20_000_000
BOILERPLATE: Final = ("nav", "footer", "header", "aside", "form")
#: Characters from which a paragraph counts as running text, and the sum an element must hold.
PARAGRAPH, RUNNING = 60, 250
#: An ancestor is taken if it holds this many times what the element below it holds.
GAIN: Final = 1.3
#: Ancestors looked at above a paragraph.
REACH: Final = 30
#: A paragraph up to this length, of which this share stands in links, only points elsewhere.
POINTER, LINKED = 300, 0.7
#: An element's text must keep this share of its paragraphs; a short one this share of the page's.
KEPT, SHORT, MOST = 0.4, 1000, 0.5

# A wrapper of the whole may carry any class, so an element with much running text is never skipped.
_SMALL = ":not(:has(p + p + p, br + br + br))"
_CLASSES = ("caption", "credit", "related", "read-more", "readmore", "promo", "newsletter", "share")
SKIPPED: Final = (
    "h1:not(h1 ~ h1)",  # the title, which is stored beside the text
    "aside",
    *(f"{name}{_SMALL}" for name in ("header", "footer", "form")),
    *(f"[class*={name} i]{_SMALL}" for name in _CLASSES),
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_UNCLOSED = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr", "p", "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "tfoot",
))  # fmt: skip
_BESIDE: Final = "footer, aside, nav, [class*=comment i]:not(body), [id*=comment i]:not(body)"
# By resiliparse's rules a list that stands near the root is navigation.
_INSIDE: Final = "<article><div><div><div></div></div></div></article>"


def main_text(markup: str, tree: HTMLTree, limit: int, nested: int | None = None) -> str:
    """The running text of a page, as lines and blank lines.

    Args:
      markup: the page.
      tree: the page parsed, which is changed.
      limit: characters to read at most while looking for the paragraphs.
      nested: for a page nested too deep for resiliparse's rules, the depth that is not.
    """
    text, found = "", _find_text_element(tree, limit)
    if found and (nested is None or _count_nested(found[0]) < nested):
        element, held = found
        _isolate_element(tree, element)
        text = plain_text(tree, SKIPPED)
        if len(text) < KEPT * held:
            text = ""
        elif len(text) >= SHORT or nested is not None:
            return text
        tree = HTMLTree.parse(markup)
    if nested is not None:
        return plain_text(tree, BOILERPLATE, main_content=False)
    full = plain_text(tree, SKIPPED)
    if text and len(text) >= MOST * len(full):
        return text
    return full if len(full) >= RUNNING else plain_text(tree)


def plain_text(tree: HTMLTree, skipped: tuple[str, ...] = (), main_content: bool = True) -> str:
    """Resiliparse's text (of the main content, less comments and bylines), less what the
    selectors skip."""
    return str(
        extract_plain_text(
            tree,
            main_content=main_content,
            alt_texts=False,
            list_bullets=False,
            comments=False,
            post_meta=False,
            skip_elements=skipped,
        )
    )


def depth_limit(markup: str, tree: HTMLTree) -> int | None:
    """The depth that would do, if elements are nested deeper for how many there are; None if
    not.  The count overlooks elements that are seldom closed, and an end tag counts against its
    own name alone: others must not hide the depth."""
    tags = markup.count("<")
    limit = min(MAX_DEPTH, MAX_STEPS // (tags + 1))
    if tags < limit or tree.document is None or _count_nested(tree.document) < limit:
        return None
    depth, unclosed = 0, Counter[str]()
    for closing, name in _TAG.findall(markup):
        name = name.lower()
        if name in _UNCLOSED or (closing and not unclosed[name]):
            continue
        step = -1 if closing else 1
        unclosed[name] += step
        depth += step
        if depth > limit:
            return limit
    return None


def _count_nested(element: Any) -> int:
    """Elements around others: no more can be nested."""
    return len(element.query_selector_all(":has(> *)"))


def _find_text_element(tree: HTMLTree, limit: int) -> tuple[Any, int] | None:
    """The element of the running text and the characters of paragraphs in it."""
    if tree.body is None:
        return None
    own, below = Counter[Any](), Counter[Any]()
    for paragraph in tree.body.query_selector_all("p")[:]:
        size = len(paragraph.text or "")
        limit -= size
        if limit < 0:  # paragraphs inside paragraphs
            return None
        if size >= PARAGRAPH:
            own[paragraph.parent] += size
    if not own:
        return None
    for parent, size in own.items():
        above = parent
        for _ in range(REACH):
            below[above] += size
            if above.tag == "body" or (above := above.parent) is None:
                break
    element = max(own, key=own.__getitem__)
    held, above = below[element], element.parent
    while above is not None and above in below:
        if below[above] >= GAIN * held:
            element, held = above, below[above]
        above = above.parent
    return None if held < RUNNING or element.closest(_BESIDE) else (element, held)


def _isolate_element(tree: HTMLTree, element: Any) -> None:
    """Leave of the body the element alone, without what resiliparse would misjudge in it."""
    _hide_pointers(element)
    for quotation in element.query_selector_all("blockquote[class]")[:]:
        quotation.delattr("class")  # embedded posts, else taken for buttons to share
    body: Any = tree.body
    if element.tag != "body":
        frame: Any = tree.create_element("main")
        frame.html = _INSIDE
        frame.query_selector("div div div").append_child(element)
        body.replace_children(frame)


def _hide_pointers(element: Any) -> None:
    """Hide the short paragraphs that are links for the most part."""
    linked = Counter[Any]()
    for link in element.query_selector_all("p a")[:]:
        linked[link.closest("p")] += len(link.text)
    for paragraph, size in linked.items():
        whole = len(paragraph.text)
        if whole <= POINTER and size >= LINKED * whole:
            paragraph.setattr("hidden", "")
