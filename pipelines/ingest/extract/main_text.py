"""Extract the main text of a page: resiliparse on the element that holds the running text.

Resiliparse alone keeps what surrounds an article: headlines, captions, teasers, cookie notices.
Here the element that holds the paragraphs is found first (the idea of Arc90's Readability). Parts
of it that are not running text are skipped, and resiliparse reads the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

#: Resiliparse's main-content rules take time by elements and depth: 3 s for 20,000 nested elements,
#: 4 s for 30,000 elements at depth 900. They are not applied above this depth, or above this
#: product of tags and depth.
MAX_DEPTH, MAX_STEPS = 1000, 20_000_000
BOILERPLATE: Final = ("nav", "footer", "header", "aside", "form")
#: A paragraph of this many characters is running text; an element must hold RUNNING of them.
PARAGRAPH, RUNNING = 60, 250
#: An ancestor is preferred if it holds this many times the running text of the element below it.
GAIN: Final = 1.3
#: How many ancestors of a paragraph are considered.
REACH: Final = 30
#: A paragraph up to this length is only a pointer if this share of it is in links.
POINTER, LINKED = 300, 0.7
#: The extracted text must hold KEPT of the element's paragraphs. If it is shorter than SHORT, it
#: must also hold MOST of the text of the full page.
KEPT, SHORT, MOST = 0.4, 1000, 0.5

# The wrapper of a page may have any class, so an element with much running text is never skipped.
_SMALL = ":not(:has(p + p + p, br + br + br))"
_CLASSES = ("caption", "credit", "related", "read-more", "readmore", "promo", "newsletter", "share")
SKIPPED: Final = (
    "h1:not(h1 ~ h1)",  # the title, which is stored separately
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
# Resiliparse treats a list near the root as navigation, so the element is nested in others.
_INSIDE: Final = "<article><div><div><div></div></div></div></article>"


def main_text(markup: str, tree: HTMLTree, limit: int, max_depth: int | None = None) -> str:
    """Return the running text of a page, as lines and blank lines.

    Args:
      markup: the page.
      tree: the parsed page; it is changed.
      limit: the most characters to read in the search for paragraphs.
      max_depth: `depth_limit` of the page: the depth allowed by resiliparse's rules if the page
        is nested deeper, else None.
    """
    text, candidate = "", _find_text_element(tree, limit)
    if candidate and (max_depth is None or _count_nested(candidate[0]) < max_depth):
        element, size = candidate
        _isolate_element(tree, element)
        text = plain_text(tree, SKIPPED)
        if len(text) < KEPT * size:
            text = ""
        elif len(text) >= SHORT or max_depth is not None:
            return text
        tree = HTMLTree.parse(markup)
    if max_depth is not None:
        return plain_text(tree, BOILERPLATE, main_content=False)
    full = plain_text(tree, SKIPPED)
    if text and len(text) >= MOST * len(full):
        return text
    return full if len(full) >= RUNNING else plain_text(tree)


def plain_text(tree: HTMLTree, skipped: tuple[str, ...] = (), main_content: bool = True) -> str:
    """Return resiliparse's text, without comments and bylines.

    Args:
      tree: the parsed page.
      skipped: CSS selectors of elements to skip.
      main_content: whether resiliparse's main-content rules apply.
    """
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
    """Return the depth that the page's number of tags allows, if it is nested deeper; else None.

    Elements that are seldom closed do not count. An end tag closes only an element of its own
    name, so that stray end tags cannot hide the depth.
    """
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
    """Count the elements that contain others. The depth cannot be greater."""
    return len(element.query_selector_all(":has(> *)"))


def _find_text_element(tree: HTMLTree, limit: int) -> tuple[Any, int] | None:
    """Return the element of the running text and the characters of its paragraphs; None if none.

    `limit` is the most characters to read.
    """
    if tree.body is None:
        return None
    own, below = Counter[Any](), Counter[Any]()
    for paragraph in tree.body.query_selector_all("p")[:]:
        size = len(paragraph.text or "")
        limit -= size
        if limit < 0:  # nested paragraphs, read once for each level
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
    size, above = below[element], element.parent
    while above is not None and above in below:
        if below[above] >= GAIN * size:
            element, size = above, below[above]
        above = above.parent
    return None if size < RUNNING or element.closest(_BESIDE) else (element, size)


def _isolate_element(tree: HTMLTree, element: Any) -> None:
    """Reduce the body to the element, without the parts that resiliparse misjudges."""
    _hide_pointers(element)
    for quotation in element.query_selector_all("blockquote[class]")[:]:
        quotation.delattr("class")  # resiliparse would treat embedded posts as share buttons
    body: Any = tree.body
    if element.tag != "body":
        frame: Any = tree.create_element("main")
        frame.html = _INSIDE
        frame.query_selector("div div div").append_child(element)
        body.replace_children(frame)


def _hide_pointers(element: Any) -> None:
    """Hide short paragraphs that consist mostly of links."""
    linked = Counter[Any]()
    for link in element.query_selector_all("p a")[:]:
        linked[link.closest("p")] += len(link.text)
    for paragraph, size in linked.items():
        length = len(paragraph.text)
        if length <= POINTER and size >= LINKED * length:
            paragraph.setattr("hidden", "")
