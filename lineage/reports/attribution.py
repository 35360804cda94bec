"""ATTRIBUTION.md: whom a release owes its text to, and under what terms.

CC BY 4.0, section 3(a)(1), asks to name the creator, to refer to the licence and to the material,
and to say that it was changed; other licences with attribution ask no more.  So a source stands
with its name, its addresses, its licence and what was done to its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineage.reports import markdown
from lineage.reports.facts import Facts, ReleasedSource, licence_url
from schemas.licences import single_licences

_CHANGES = (
    "The texts were changed: taken out of their pages, normalised, chosen among copies, and rid of "
    "personal data, in whose place stands a word such as `<PHONE_NUMBER>`. None of those who are "
    "named endorses this collection or its use."
)


def to_markdown(facts: Facts) -> str:
    """The file."""
    about = facts.manifest
    head = (
        f"# {markdown.text(about['name'])}: attribution\n\n"
        f"As of {about['as_of']}, for the purpose `{about['purpose']}`. {_CHANGES}\n"
    )
    return "\n".join([head, *_sources(facts), *_licences(facts)])


def to_json(facts: Facts) -> list[dict[str, Any]]:
    """The same per source, as a JSON value."""
    return [
        {
            "source_id": source.id,
            "title": source.entry["title"],
            "publisher": source.entry["publisher"],
            "attribution": source.attribution,
            "licence": source.licence,
            "urls": source.licence_urls,
            "duties": source.duties.description,
        }
        for source in facts.sources.values()
    ]


def _sources(facts: Facts) -> Iterator[str]:
    sizes = {
        row[0]: row[1]
        for row in facts.sizes_by("source_id").select("source_id", "documents").rows()
    }
    langs = dict(facts.sizes_by("source_id", "lang").group_by("source_id").agg("lang").rows())
    yield "## Sources\n"
    for source in facts.sources.values():
        yield _source(source, sizes[source.id], sorted(langs[source.id]))


def _source(source: ReleasedSource, documents: int, langs: list[str]) -> str:
    entry, match = source.entry, source.entry["match"]
    places = [*match.get("domains", ()), *match.get("url_prefixes", ())]
    urls = [markdown.link(url) for url in source.licence_urls]
    lines = [
        f"### {markdown.text(entry['title'])} (`{source.id}`)\n",
        f"- {markdown.text(source.attribution)}",
        f"- published by {markdown.text(entry['publisher'])} ({source.entry['jurisdiction']})",
        f"- licence {' '.join([markdown.text(source.licence), *urls])}",
        f"- asks for: {source.duties.description}",
        f"- {documents} documents in {markdown.text(langs)}",
    ]
    if places:
        lines.insert(3, f"- at {markdown.text(places)}")
    return "\n".join(lines) + "\n"


def _licences(facts: Facts) -> Iterator[str]:
    """The licences by name, with the text of those that stand nowhere else."""
    terms = facts.manifest.get("licences") or {}
    names = sorted({name for s in facts.sources.values() for name in single_licences(s.licence)})
    yield "## Licences\n"
    for name in names:
        known = terms.get(name, {})
        url = licence_url(name, terms)
        told = [
            markdown.text(known["title"]) if known.get("title") else "",
            markdown.link(url) if url else "",
            f"({markdown.text(known['citation'])})" if known.get("citation") else "",
        ]
        yield f"- {markdown.text(name)}: {' '.join(t for t in told if t) or '–'}"
        if known.get("text"):
            yield "\n".join(f"  > {markdown.text(line)}" for line in known["text"].splitlines())
    yield ""
