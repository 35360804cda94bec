"""The public summary of training content of Art. 53(1)(d) of Regulation (EU) 2024/1689.

Fields follow the Commission's template of 24 July 2025 (C(2025) 8311), as an open implementation
and two published summaries have them; the template itself could not be read.  A release knows what
was collected and by what right.  What only a provider knows (who it is, which model, what else it
did) stays `unfilled`, and is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import Facts

TEMPLATE: Final = "Art. 53(1)(d) Regulation (EU) 2024/1689, template of 24 July 2025"
UNFILLED: Final = "to be filled by the provider"
#: Of crawled domains by size, from the largest: the share that the template asks for, and what it
#: asks of small and medium-sized providers (a share or a number, whichever is lower); per cent.
TOP, TOP_SMALL, TOP_SMALL_MOST = 10, 5, 1000
#: Upper ends of the template's ranges of a text's size in tokens.
RANGES: Final = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
OVER: Final = "more than 10 trillion tokens"

_CLASSES: Final = (
    ("2.1", "Publicly available datasets", "public-dataset"),
    ("2.2.1", "Datasets licensed by rightsholders", "licensed"),
    ("2.2.2", "Other private datasets of third parties", "third-party"),
    ("2.3", "Data crawled and scraped from online sources", "crawled"),
    ("2.4", "User data", "user"),
    ("2.5", "Synthetic data", "synthetic"),
)
_ASKED: Final = {
    "2.4": (("services", "Services and products that the data were collected in"),),
    "2.5": (("generators", "Models that generated the data"),),
    "2.3": (
        ("crawlers", "Names of the crawlers and who runs them"),
        ("purposes", "Purposes of the crawlers"),
        ("behaviour", "Behaviour of the crawlers (captchas, paywalls, rate)"),
        ("period", "Period of collection, where the captures' days below are not all of it"),
    ),
}

Field = dict[str, Any]


def _field(key: str, label: str, value: Any, note: str | None = None) -> Field:
    told = {"key": key, "label": label, "status": "computed", "value": value}
    return told | ({"note": note} if note else {})


def _open(key: str, label: str, note: str | None = None) -> Field:
    told = {"key": key, "label": label, "status": "unfilled", "value": None}
    return told | ({"note": note} if note else {})


def summary(facts: Facts) -> dict[str, Any]:
    """The summary as a JSON value: sections of fields, each `computed` or `unfilled`."""
    sections = [
        _provider(),
        _model(),
        _content(facts),
        *(_class(facts, *one) for one in _CLASSES),
        _section("2.6", "Other sources", [_open("used", "Other sources were used")]),
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
            f"{s['number']} {f['key']}"
            for s in sections
            for f in s["fields"]
            if f["status"] == "unfilled"
        ],
    }


def _section(number: str, title: str, fields: Sequence[Field]) -> dict[str, Any]:
    return {"number": number, "title": title, "fields": list(fields)}


def _provider() -> dict[str, Any]:
    fields = [
        _open("provider", "Provider: name and contact"),
        _open("representative", "Authorised representative: name and contact"),
    ]
    return _section("1.1", "Provider", fields)


def _model() -> dict[str, Any]:
    fields = [
        _open("models", "Versioned names of the models"),
        _open("dependencies", "Models that these are modifications of"),
        _open("placed_on_market", "Date of placement on the market of the Union"),
    ]
    return _section("1.2", "Model", fields)


def size_range(tokens: int) -> str:
    """The template's range for a number of tokens."""
    return next((name for end, name in RANGES if tokens < end), OVER)


def _size(sizes: dict[str, Any]) -> dict[str, Any]:
    named = {name: sizes[name] for name in ("documents", "chars", "tokens")}
    return {k: v for k, v in named.items() if v is not None}


def _content(facts: Facts) -> dict[str, Any]:
    sizes = facts.sizes()
    tokens = sizes["tokens"]
    ranged = (
        _field("size_range", "Text: range of size", size_range(tokens))
        if tokens is not None
        else _open(
            "size_range",
            "Text: range of size in tokens",
            "no tokenizer was named; the size in characters stands below, as another unit",
        )
    )
    fields = [
        _field("modalities", "Modalities", ["text"]),
        ranged,
        _field("size", "Text: size", _size(sizes)),
        _open("content_types", "Text: types of content"),
        _field("latest_acquisition", "Latest acquisition of data", sizes["last"] or "not recorded"),
        _open("continuous", "The model is trained on further data after its placement"),
        _field("languages", "Linguistic characteristics", _languages(facts)),
        _open("other", "Other relevant characteristics"),
        _open("comments", "Comments"),
    ]
    return _section("1.3", "Modalities, size and characteristics", fields)


def _languages(facts: Facts) -> list[dict[str, Any]]:
    by = facts.sizes_by("lang").sort("chars", "lang", descending=[True, False])
    whole = max(int(by["chars"].sum()), 1)
    return [
        {"language": row["lang"], **_size(row), "share": round(row["chars"] / whole, 6)}
        for row in by.iter_rows(named=True)
    ]


def _class(facts: Facts, number: str, title: str, kind: str) -> dict[str, Any]:
    """One of the template's kinds of sources, by what the register says of each source."""
    sources = {s.id: s for s in facts.sources.values() if s.acquired_as == kind}
    fields = [_field("used", "Such data were used", bool(sources))]
    if not sources:
        return _section(number, title, fields)
    whole, mine = facts.sizes(), facts.sizes(set(sources))
    by = facts.sizes_by("source_id").sort("chars", "source_id", descending=[True, False])
    listed = [
        {
            "id": row["source_id"],
            "title": sources[row["source_id"]].entry["title"],
            "publisher": sources[row["source_id"]].entry["publisher"],
            "licence": sources[row["source_id"]].licence,
            "basis": sources[row["source_id"]].basis["kind"],
            **_size(row),
            "share": round(row["chars"] / max(whole["chars"], 1), 6),
            "first": row["first"],
            "last": row["last"],
        }
        for row in by.iter_rows(named=True)
        if row["source_id"] in sources
    ]
    fields += [
        _field("modalities", "Modalities", ["text"]),
        _field("size", "Size", _size(mine)),
        _field("sources", "Sources, the largest first", listed),
    ]
    fields += [_open(key, label) for key, label in _ASKED.get(number, ())]
    if kind == "crawled":
        fields += _crawled(facts, set(sources))
    return _section(number, title, fields)


def _crawled(facts: Facts, sources: set[str]) -> list[Field]:
    mine = facts.sizes(sources)
    hosts = domain_sizes(facts, sources)
    small = min(_per_cent(hosts.height, TOP_SMALL), TOP_SMALL_MOST)
    top = hosts.head(_per_cent(hosts.height, TOP))
    return [
        _field("captured", "Captures", {"first": mine["first"], "last": mine["last"]}),
        _field("domains", "Domains that text was taken from", hosts.height),
        _field(
            "top_domains",
            "The top 10 % of domains by size of text",
            top.select("host", "documents", "chars").to_dicts(),
            "size is the characters of released text; a domain is a host, as it was crawled; "
            f"a small or medium-sized provider names the first {small}",
        ),
    ]


def _per_cent(number: int, share: int) -> int:
    """So many per cent of a number, rounded up."""
    return -(-number * share // 100)


def domain_sizes(facts: Facts, sources: set[str]) -> pl.DataFrame:
    """The hosts of some sources with documents, chars, the largest first."""
    return (
        facts.document_counts.filter(pl.col("source_id").is_in(list(sources)))
        .drop_nulls("host")
        .group_by("host")
        .agg(pl.col("documents", "chars").sum())
        .sort("chars", "host", descending=[True, False])
    )


def domains_to_csv(facts: Facts) -> str:
    """All domains that text was crawled from, the largest first, as CSV; `named_by`: who has to
    name it in the summary, of `all` providers, `larger` ones, `none`."""
    crawled = {s.id for s in facts.sources.values() if s.acquired_as == "crawled"}
    hosts = domain_sizes(facts, crawled).with_row_index("rank", 1)
    small = min(_per_cent(hosts.height, TOP_SMALL), TOP_SMALL_MOST)
    named = (
        pl.when(pl.col("rank") <= small)
        .then(pl.lit("all"))
        .when(pl.col("rank") <= _per_cent(hosts.height, TOP))
        .then(pl.lit("larger"))
        .otherwise(pl.lit("none"))
    )
    return hosts.select("rank", "host", "documents", "chars", named_by=named).write_csv()


def _opt_outs(facts: Facts) -> dict[str, Any]:
    about = facts.manifest.get("opt_outs") or {}
    refused = {
        reason.removeprefix("refuse opted-out:"): n
        for reason, n in facts.outcome_counts.items()
        if reason.startswith("refuse opted-out:")
    }
    honoured = [
        {"protocol": name, "version": version, "records_refused": refused.get(name, 0)}
        for name, version in sorted((about.get("protocols") or {}).items())
    ]
    outranked = [s.id for s in facts.sources.values() if s.entry.get("opt_out") == "overridden"]
    fields = [
        _open("code_of_practice", "Signatory of the Code of Practice"),
        _field("protocols", "Opt-out protocols that are honoured", honoured),
        _field("observed", "Opt-outs count as observed", about.get("signals")),
        _field("agents", "Product tokens of robots.txt that count", about.get("agents") or []),
        _field(
            "overridden",
            "Sources whose contract outranks what the site tells crawlers",
            outranked,
        ),
    ]
    return _section("3.1", "Respect of reservations of rights", fields)


def _removal(facts: Facts) -> dict[str, Any]:
    fields = [_open("illegal_content", "Measures against illegal content")]
    return _section("3.2", "Removal of illegal content", fields)


def _processing(facts: Facts) -> dict[str, Any]:
    redactions = facts.manifest["counts"].get("redactions") or {}
    fields = [
        _field("ended", "Records that were not taken, by reason", facts.outcome_counts),
        _field("redactions", "Personal data that was replaced, by class", redactions),
        _open("other", "Other information"),
    ]
    return _section("3.3", "Other information on processing", fields)


def to_markdown(facts: Facts) -> str:
    """The summary as Markdown; what is open says so."""
    told = summary(facts)
    lines = [
        f"# Public summary of training content: {markdown.text(told['release'])}\n",
        f"{told['template']}. Version `{told['version']}`, last update {told['last_update']}.\n",
        f"{len(told['unfilled'])} fields are **{UNFILLED}**. This is a draft made from lineage, "
        "no legal advice. It is about this release alone: what else a model was trained on is not "
        "in it.\n",
    ]
    for section in told["sections"]:
        lines.append(f"## {section['number']} {section['title']}\n")
        lines += [_field_markdown(field) for field in section["fields"]]
    return "\n".join(lines)


def _field_markdown(field: Field) -> str:
    note = f" ({field['note']})" if field.get("note") else ""
    value = field["value"]
    if field["status"] == "unfilled":
        return f"**{field['label']}**: **[{UNFILLED}]**{note}\n"
    if isinstance(value, dict) and value and field["key"] in ("ended", "redactions"):
        value = [{"what": k, "number": n} for k, n in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[row.get(c) for c in columns] for row in value]
        return f"**{field['label']}**{note}:\n\n{markdown.table(columns, rows)}"
    if isinstance(value, list) and len(value) > 12:
        return f"**{field['label']}**{note}: {len(value)}: {markdown.text(value)}\n"
    return f"**{field['label']}**{note}: {markdown.text(value)}\n"
