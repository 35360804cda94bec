"""HTML that is all text: chapters of a book, items of a feed.

Nothing is taken for navigation there, as it is on a site's page.
"""

from __future__ import annotations

import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipelines.ingest.extract import html

_INDENT = re.compile("\n +")
_NO_TEXT = ["script", "style", "nav", "form"]


def markup_text(source: str) -> str:
    """The whole text of a page or fragment, a blank line between paragraphs."""
    tree = HTMLTree.parse(source.replace("\0", ""))
    found = extract_plain_text(
        tree, main_content=False, alt_texts=False, list_bullets=False, skip_elements=_NO_TEXT
    )
    return _INDENT.sub("\n", html.tidy(found))
