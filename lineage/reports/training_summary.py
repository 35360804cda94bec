"""The public summary of training content of Art. 53(1)(d) of Regulation (EU) 2024/1689.

The fields follow the Commission's template of 24 July 2025 (C(2025) 8311).  They were taken from an
open implementation and two published summaries; the template itself was not available.  A release
knows what was collected and on what lawful basis.  A field that only a provider can fill (its name,
its models, its other measures) stays `unfilled`, and the summary lists it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NotRequired, TypedDict

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import SIZES, Facts

TEMPLATE: Final = "Art. 53(1)(d) Regulation (EU) 2024/1689, template of 24 July 2025"
UNFILLED: Final = "to be filled by the provider"
#: Share of the crawled domains, largest first, that a summary must list, in per cent.
TOP = 10
#: The same for small and medium-sized providers: a share in per cent, but not more than a number.
TOP_SMALL, TOP_SMALL_MOST = 5, 1000
#: Upper limits of the template's size ranges for text, in tokens.
RANGES: Final = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
OVER: Final = "more than 10 trillion tokens"

#: Section number, title and `acquired_as` of the template's kinds of sources.
_CLASSES: Final = (
    ("2.1", "Publicly available datasets", "public-dataset"),
    ("2.2.1", "Datasets licensed by rightsholders", "licensed"),
    ("2.2.2", "Other private datasets of third parties", "third-party"),
    ("2.3", "Data crawled and scraped from online sources", "crawled"),
    ("2.4", "User data", "user"),
    ("2.5", "Synthetic data", "synthetic"),
)
#: Section number -> fields of this section that only the provider can fill.
_PROVIDER_FIELDS: Final = {
    "2.4": (("services", "Services and products in which the data were collected"),),
    "2.5": (("generators", "Models that generated the data"),),
    "2.3": (
        ("crawlers", "Names of the crawlers and of their operators"),
        ("purposes", "Purposes of the crawlers"),
        ("behaviour", "Behaviour of the crawlers (captchas, paywalls, rate)"),
        ("period", "Period of collection, if it is longer than the days of capture below"),
    ),
}


class Field(TypedDict):
    """A field of the template; `status` is `computed` or `unfilled`."""

    key: str
    label: str
    status: str
    value: Any
    note: NotRequired[str]


class Section(TypedDict):
    """A section of the template with its fields."""

    number: str
    title: str
    fields: list[Field]


def _field(key: str, label: str, value: Any, note: str | None = None) -> Field:
    """Return a field that the program fills."""
    field: Field = {"key": key, "label": label, "status": "computed", "value": value}
    return _with_note(field, note)


def _unfilled(key: str, label: str, note: str | None = None) -> Field:
    """Return a field that the provider must fill."""
    field: Field = {"key": key, "label": label, "status": "unfilled", "value": None}
    return _with_note(field, note)


def _with_note(field: Field, note: str | None) -> Field:
    if note:
        field["note"] = note
    return field


def summary(facts: Facts) -> dict[str, Any]:
    """Return the summary as a JSON value: sections of fields, each `computed` or `unfilled`."""
    sections = [
        _provider(),
        _model(),
        _content(facts),
        *(_source_section(facts, *kind) for kind in _CLASSES),
        _section("2.6", "Other sources", [_unfilled("used", "Other sources were used")]),
        _opt_outs(facts),
        _removal(facts),
        _processing(facts),
    ]
    return {
        "template": TEMPLATE,
        "version": facts.urn,
        "last_update": facts.manifest["as_of"],
        "release": facts.manifest["name"],
        "sections": sections,
        "unfilled": [
            f"{section['number']} {field['key']}"
            for section in sections
            for field in section["fields"]
            if field["status"] == "unfilled"
        ],
    }


def _section(number: str, title: str, fields: Sequence[Field]) -> Section:
    return {"number": number, "title": title, "fields": list(fields)}


def _provider() -> Section:
    fields = [
        _unfilled("provider", "Provider: name and contact"),
        _unfilled("representative", "Authorised representative: name and contact"),
    ]
    return _section("1.1", "Provider", fields)


def _model() -> Section:
    fields = [
        _unfilled("models", "Versioned names of the models"),
        _unfilled("dependencies", "Models from which these models were modified"),
        _unfilled("placed_on_market", "Date of placement on the Union market"),
    ]
    return _section("1.2", "Model", fields)


def size_range(tokens: int) -> str:
    """Return the template's size range for a number of tokens."""
    return next((name for end, name in RANGES if tokens < end), OVER)


def _known_sizes(sizes: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes that are known; without a tokenizer there are no tokens."""
    return {name: sizes[name] for name in SIZES if sizes[name] is not None}


def _content(facts: Facts) -> Section:
    sizes = facts.sizes()
    tokens = sizes["tokens"]
    size_range_field = (
        _field("size_range", "Text: range of size", size_range(tokens))
        if tokens is not None
        else _unfilled(
            "size_range",
            "Text: range of size in tokens",
            "the parameters name no tokenizer; the next field gives the size in characters",
        )
    )
    fields = [
        _field("modalities", "Modalities", ["text"]),
        size_range_field,
        _field("size", "Text: size", _known_sizes(sizes)),
        _unfilled("content_types", "Text: types of content"),
        _field("latest_acquisition", "Latest acquisition of data", sizes["last"] or "not recorded"),
        _unfilled(
            "continuous", "The model is trained on more data after its placement on the market"
        ),
        _field("languages", "Linguistic characteristics", _languages(facts)),
        _unfilled("other", "Other relevant characteristics"),
        _unfilled("comments", "Comments"),
    ]
    return _section("1.3", "Modalities, size and characteristics", fields)


def _languages(facts: Facts) -> list[dict[str, Any]]:
    by_language = facts.sizes_by("lang").sort("chars", "lang", descending=[True, False])
    total = max(int(by_language["chars"].sum()), 1)
    return [
        {"language": row["lang"], **_known_sizes(row), "share": round(row["chars"] / total, 6)}
        for row in by_language.iter_rows(named=True)
    ]


def _source_section(facts: Facts, number: str, title: str, kind: str) -> Section:
    """Return the section about the sources that were acquired as `kind`, largest first."""
    sources = {s.id: s for s in facts.sources.values() if s.acquired_as == kind}
    fields = [_field("used", "Such data were used", bool(sources))]
    if not sources:
        return _section(number, title, fields)
    total = max(facts.sizes()["chars"], 1)
    by_source = facts.sizes_by("source_id").sort("chars", "source_id", descending=[True, False])
    listed = [
        {
            "id": row["source_id"],
            "title": sources[row["source_id"]].entry["title"],
            "publisher": sources[row["source_id"]].entry["publisher"],
            "licence": sources[row["source_id"]].licence,
            "basis": sources[row["source_id"]].basis["kind"],
            **_known_sizes(row),
            "share": round(row["chars"] / total, 6),
            "first": row["first"],
            "last": row["last"],
        }
        for row in by_source.iter_rows(named=True)
        if row["source_id"] in sources
    ]
    fields += [
        _field("modalities", "Modalities", ["text"]),
        _field("size", "Size", _known_sizes(facts.sizes(set(sources)))),
        _field("sources", "Sources, largest first", listed),
    ]
    fields += [_unfilled(key, label) for key, label in _PROVIDER_FIELDS.get(number, ())]
    if kind == "crawled":
        fields += _crawled(facts, set(sources))
    return _section(number, title, fields)


def _crawled(facts: Facts, sources: set[str]) -> list[Field]:
    sizes = facts.sizes(sources)
    hosts = domain_sizes(facts, sources)
    small = min(_per_cent(hosts.height, TOP_SMALL), TOP_SMALL_MOST)
    top = hosts.head(_per_cent(hosts.height, TOP))
    return [
        _field("captured", "Captures", {"first": sizes["first"], "last": sizes["last"]}),
        _field("domains", "Number of domains from which text was taken", hosts.height),
        _field(
            "top_domains",
            "The top 10 % of domains by size of text",
            top.select("host", "documents", "chars").to_dicts(),
            "size: characters of released text; domain: a host as it was crawled; "
            f"a small or medium-sized provider must list only the first {small}",
        ),
    ]


def _per_cent(number: int, share: int) -> int:
    """Return `share` per cent of a number, rounded up."""
    return -(-number * share // 100)


def domain_sizes(facts: Facts, sources: set[str]) -> pl.DataFrame:
    """Return the hosts of the given sources, largest first: host, documents, chars."""
    return (
        facts.document_counts.filter(pl.col("source_id").is_in(list(sources)))
        .drop_nulls("host")
        .group_by("host")
        .agg(pl.col("documents", "chars").sum())
        .sort("chars", "host", descending=[True, False])
    )


def domains_to_csv(facts: Facts) -> str:
    """Return all crawled domains as CSV, largest first.

    Returns:
      rank, host, documents, chars, named_by: the providers that must list the domain in their
      summary: `all`, `larger` (not the small and medium-sized ones) or `none`.
    """
    crawled = {s.id for s in facts.sources.values() if s.acquired_as == "crawled"}
    hosts = domain_sizes(facts, crawled).with_row_index("rank", 1)
    small = min(_per_cent(hosts.height, TOP_SMALL), TOP_SMALL_MOST)
    named_by = (
        pl.when(pl.col("rank") <= small)
        .then(pl.lit("all"))
        .when(pl.col("rank") <= _per_cent(hosts.height, TOP))
        .then(pl.lit("larger"))
        .otherwise(pl.lit("none"))
    )
    return hosts.select("rank", "host", "documents", "chars", named_by=named_by).write_csv()


def _opt_outs(facts: Facts) -> Section:
    opt_outs = facts.manifest.get("opt_outs") or {}
    refused = {
        reason.removeprefix("refuse opted-out:"): n
        for reason, n in facts.outcome_counts.items()
        if reason.startswith("refuse opted-out:")
    }
    honoured = [
        {"protocol": name, "version": version, "records_refused": refused.get(name, 0)}
        for name, version in sorted((opt_outs.get("protocols") or {}).items())
    ]
    outranked = [s.id for s in facts.sources.values() if s.entry.get("opt_out") == "overridden"]
    fields = [
        _unfilled("code_of_practice", "Signatory of the Code of Practice"),
        _field("protocols", "Opt-out protocols that were honoured", honoured),
        _field("observed", "Observation of an opt-out that counts", opt_outs.get("signals")),
        _field("agents", "Product tokens in robots.txt that count", opt_outs.get("agents") or []),
        _field(
            "overridden",
            "Sources whose contract takes precedence over the site's opt-outs",
            outranked,
        ),
    ]
    return _section("3.1", "Respect of reservations of rights", fields)


def _removal(facts: Facts) -> Section:
    fields = [_unfilled("illegal_content", "Measures against illegal content")]
    return _section("3.2", "Removal of illegal content", fields)


def _processing(facts: Facts) -> Section:
    redactions = facts.manifest["counts"].get("redactions") or {}
    fields = [
        _field("ended", "Records that were not released, by reason", facts.outcome_counts),
        _field("redactions", "Personal data that was replaced, by class", redactions),
        _unfilled("other", "Other information"),
    ]
    return _section("3.3", "Other information on processing", fields)


def to_markdown(facts: Facts) -> str:
    """Return the summary as Markdown; it marks each field that the provider must fill."""
    report = summary(facts)
    lines = [
        f"# Public summary of training content: {markdown.text(report['release'])}\n",
        f"{report['template']}. Version `{report['version']}`, last update {report['last_update']}.\n",
        f"{len(report['unfilled'])} fields are **{UNFILLED}**. This is a draft that was "
        "computed from the lineage. It is not legal advice. It covers this release only. It does not "
        "cover other data on which a model was trained.\n",
    ]
    for section in report["sections"]:
        lines.append(f"## {section['number']} {section['title']}\n")
        lines += [_field_markdown(field) for field in section["fields"]]
    return "\n".join(lines)


def _field_markdown(field: Field) -> str:
    """Return a field as a line, or as a table if its value is a list of objects."""
    note = f" ({field['note']})" if field.get("note") else ""
    value = field["value"]
    if field["status"] == "unfilled":
        return f"**{field['label']}**: **[{UNFILLED}]**{note}\n"
    if isinstance(value, dict) and value and field["key"] in ("ended", "redactions"):
        value = [{"what": key, "number": number} for key, number in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[row.get(column) for column in columns] for row in value]
        return f"**{field['label']}**{note}:\n\n{markdown.table(columns, rows)}"
    if isinstance(value, list) and len(value) > 12:
        return f"**{field['label']}**{note}: {len(value)} entries: {markdown.text(value)}\n"
    return f"**{field['label']}**{note}: {markdown.text(value)}\n"
