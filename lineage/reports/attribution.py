"""ATTRIBUTION.md: the sources of a release, the names to credit and the terms of their licences.

CC BY 4.0, section 3(a)(1), requires the creator's name, a reference to the licence and to the
material, and a notice that the material was changed.  The other licences with attribution ask for
no more.  So each source has its name, its addresses, its licence and a notice of the changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineage.reports import markdown
from lineage.reports.facts import Facts, ReleasedSource, licence_url
from schemas.licences import single_licences

_CHANGES = (
    "The texts were changed. They were extracted from their pages and normalised. Duplicates were "
    "removed. Personal data that was found was replaced by placeholders such as `<PHONE_NUMBER>`. "
    "The persons and organisations named here do not endorse this collection or its use."
)


def to_markdown(facts: Facts) -> str:
    """Return the content of ATTRIBUTION.md."""
    manifest = facts.manifest
    head = (
        f"# {markdown.text(manifest['name'])}: attribution\n\n"
        f"As of {manifest['as_of']}, for the purpose `{manifest['purpose']}`. {_CHANGES}\n"
    )
    return "\n".join([head, *_source_lines(facts), *_licence_lines(facts)])


def to_json(facts: Facts) -> list[dict[str, Any]]:
    """Return a JSON value with one object per source."""
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


def _source_lines(facts: Facts) -> Iterator[str]:
    sizes = dict(facts.sizes_by("source_id").select("source_id", "documents").rows())
    languages = dict(facts.sizes_by("source_id", "lang").group_by("source_id").agg("lang").rows())
    yield "## Sources\n"
    for source in facts.sources.values():
        yield _source_section(source, sizes[source.id], sorted(languages[source.id]))


def _source_section(source: ReleasedSource, documents: int, languages: list[str]) -> str:
    entry, match = source.entry, source.entry["match"]
    places = [*match.get("domains", ()), *match.get("url_prefixes", ())]
    urls = [markdown.link(url) for url in source.licence_urls]
    lines = [
        f"### {markdown.text(entry['title'])} (`{source.id}`)\n",
        f"- Credit: {markdown.text(source.attribution)}",
        f"- Publisher: {markdown.text(entry['publisher'])} ({source.entry['jurisdiction']})",
        f"- Licence: {' '.join([markdown.text(source.licence), *urls])}",
        f"- The licence asks for: {source.duties.description}",
        f"- Documents: {documents}; languages: {markdown.text(languages)}",
    ]
    if places:
        lines.insert(3, f"- Addresses: {markdown.text(places)}")
    return "\n".join(lines) + "\n"


def _licence_lines(facts: Facts) -> Iterator[str]:
    """Yield the licences by name; the text follows where the register holds it."""
    terms = facts.manifest.get("licences") or {}
    names = sorted(
        {name for source in facts.sources.values() for name in single_licences(source.licence)}
    )
    yield "## Licences\n"
    for name in names:
        entry = terms.get(name, {})
        url = licence_url(name, terms)
        details = [
            markdown.text(entry["title"]) if entry.get("title") else "",
            markdown.link(url) if url else "",
            f"({markdown.text(entry['citation'])})" if entry.get("citation") else "",
        ]
        yield f"- {markdown.text(name)}: {' '.join(filter(None, details)) or '–'}"
        if entry.get("text"):
            yield "\n".join(f"  > {markdown.text(line)}" for line in entry["text"].splitlines())
    yield ""
