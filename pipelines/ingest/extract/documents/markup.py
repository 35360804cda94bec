"""Extract text from HTML without boilerplate: chapters of a book, items of a feed.

No main-content rules apply here. A page of a site needs them, because it holds navigation.
"""

from __future__ import annotations

import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipelines.ingest.extract import html

_INDENT = re.compile("\n +")
_NO_TEXT = ["script", "style", "nav", "form"]


def markup_text(source: str) -> str:
    """Return the complete text of a page or fragment, with a blank line between paragraphs."""
    tree = HTMLTree.parse(source.replace("\0", ""))
    text = extract_plain_text(
        tree, main_content=False, alt_texts=False, list_bullets=False, skip_elements=_NO_TEXT
    )
    return _INDENT.sub("\n", html.tidy(text))
