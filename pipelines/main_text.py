"""A page's main text: resiliparse inside the element that holds the running text.

Resiliparse alone keeps what surrounds an article: headlines, captions, teasers, cookie notices.
Here the element is found first in which the paragraphs stand (after the idea of Arc90's
Readability), what is not running text in it is passed over, and resiliparse reads the rest.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

#: Characters from which a paragraph counts as running text, and the sum an element must hold.
PARAGRAPH, RUNNING = 60, 250
#: An ancestor is taken if it holds this many times what the element below it holds.
GAIN: Final = 1.3
#: Ancestors looked at above a paragraph.
REACH: Final = 30
#: A paragraph up to this length, of which this share stands in links, only points elsewhere.
POINTER, LINKED = 300, 0.7
#: An element's text must keep this share of its paragraphs; a short one this share of the page's.
KEPT, SHORT, MOST = 0.4, 2000, 0.5

# A wrapper of the whole may carry any class, so an element with much running text is never skipped.
_SMALL = ":not(:has(p + p + p, br + br + br))"
_CLASSES = ("caption", "credit", "related", "read-more", "readmore", "promo", "newsletter", "share")
SKIPPED: Final = (
    "h1",  # the title, which is stored beside the text
    "aside",
    *(f"{name}{_SMALL}" for name in ("header", "footer", "form")),
    *(f"[class*={name} i]{_SMALL}" for name in _CLASSES),
)
_BESIDE: Final = "footer, aside, nav, [class*=comment i]:not(body), [id*=comment i]:not(body)"
# By resiliparse's rules a list that stands near the root is navigation.
_FRAME: Final = "<main><article><div><div><div>"


def main_text(tree: HTMLTree, limit: int) -> str:
    """The running text of a page, as lines and blank lines.

    Args:
      tree: the page; pointers are hidden in it, and quotations lose their classes.
      limit: characters to read at most while looking for the paragraphs.
    """
    text = ""
    if found := _holder(tree, limit):
        element, held = found
        _hide_pointers(element)
        for quotation in element.query_selector_all("blockquote[class]")[:]:
            quotation.delattr("class")  # embedded posts, else taken for buttons to share
        text = _inside(element)
        if len(text) < KEPT * held:
            text = ""
        elif len(text) >= SHORT:
            return text
    full = plain_text(tree, SKIPPED)
    if text and len(text) >= MOST * len(full):
        return text
    return full if len(full) >= RUNNING else plain_text(tree)


def plain_text(tree: HTMLTree, skipped: tuple[str, ...] = ()) -> str:
    """Resiliparse's main content, less comments, bylines and what the selectors skip."""
    return str(
        extract_plain_text(
            tree,
            main_content=True,
            alt_texts=False,
            list_bullets=False,
            comments=False,
            post_meta=False,
            skip_elements=skipped,
        )
    )


def _inside(element: Any) -> str:
    return plain_text(HTMLTree.parse(_FRAME + element.html), SKIPPED)


def _holder(tree: HTMLTree, limit: int) -> tuple[Any, int] | None:
    """The element of the running text and the characters of paragraphs in it."""
    if tree.body is None:
        return None
    own, below = Counter[Any](), Counter[Any]()
    for paragraph in tree.body.query_selector_all("p")[:]:
        size = len(paragraph.text)
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


def _hide_pointers(element: Any) -> None:
    """Hide the short paragraphs that are links for the most part."""
    linked = Counter[Any]()
    for link in element.query_selector_all("p a")[:]:
        linked[link.closest("p")] += len(link.text)
    for paragraph, size in linked.items():
        whole = len(paragraph.text)
        if whole <= POINTER and size >= LINKED * whole:
            paragraph.setattr("hidden", "")
