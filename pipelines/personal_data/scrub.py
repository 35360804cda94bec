"""Find personal data in batches of documents, and replace it.

Columns are searched for the shapes of identifiers first; only the documents and the recognisers
that a shape leaves go through Presidio.  A value found never leaves this module: rows hold
positions and classes.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from pipelines.personal_data.rules import NATIVE, RULES, THRESHOLD
from pipelines.personal_data.uris import redact_uri, redact_uris
from schemas.tables import FINDINGS, REDACTIONS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Scrubber", "Span", "apply", "redact", "redact_uri", "redact_uris", "resolve", "shapes"]

OPERATOR: Final = "replace"
_LANGUAGES: Final = {rule.entity: rule.languages for rule in RULES}
_COUNTRY: Final = {rule.entity: rule.country for rule in RULES}
#: What nearly every document without personal data fails: an at sign, or five digits hardly
#: apart (an address of four digits is a version more often).
_ANYTHING: Final = (
    r"@|[0-9](?:[ \u00a0\u202f().\u2010-\u2015-]{0,3}[0-9]){4}|::|:[0-9A-Fa-f]+:"
    r"|[A-Z0-9]{7}"
)


class Span(NamedTuple):
    """A found identifier: code points, end exclusive."""

    start: int
    end: int
    entity: str
    score: float
    recogniser: str


def _schema(arrow: pa.Schema) -> pl.Schema:
    empty = pl.from_arrow(arrow.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty.schema


def shapes() -> dict[str, str]:
    """Entity to the pattern (no look-around) without which a text cannot hold it."""
    from pipelines.personal_data import phones

    found = {"PHONE_NUMBER": phones.SHAPE}
    for rule in RULES:
        found[rule.entity] = "|".join(filter(None, (found.get(rule.entity), rule.shape)))
    return found


def resolve(candidates: Iterable[Span], lang: str | None, jurisdiction: str | None) -> list[Span]:
    """The candidates that stand, apart from each other, by start.

    The document's language and its source's jurisdiction each lend a native identifier 0.1;
    then the higher score wins, then the longer span, then the earlier.
    """
    ranked = sorted(
        (
            -min(
                c.score
                + NATIVE * (lang in _LANGUAGES.get(c.entity, ()))
                + NATIVE * (jurisdiction is not None and jurisdiction == _COUNTRY.get(c.entity)),
                2.0,
            ),
            c.start - c.end,
            c.start,
            c.entity,
            c,
        )
        for c in candidates
    )
    taken: list[Span] = []
    for rank, _, _, _, c in ranked:
        at = bisect(taken, (c.start,))
        free = (at == 0 or taken[at - 1].end <= c.start) and (
            at == len(taken) or taken[at].start >= c.end
        )
        if -rank >= THRESHOLD and free:
            taken.insert(at, c._replace(score=round(min(1.0, -rank), 3)))
    return taken


def redact(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[str, list[tuple[int, int]]]:
    """`text` with each (start, end, replacement) put in, and where each then stands.

    Spans are sorted and apart.
    """
    pieces, where, at, length = [], [], 0, 0
    for start, end, replacement in spans:
        length += start - at
        where.append((length, length + len(replacement)))
        pieces += [text[at:start], replacement]
        at, length = end, length + len(replacement)
    return "".join([*pieces, text[at:]]), where


def apply(documents: pl.DataFrame, findings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`documents` (doc_id, text, …) with the findings replaced, and the rows of REDACTIONS.

    Positions in REDACTIONS are those of the placeholders in the new text.  Findings are as
    `Scrubber.find` gives them: apart, sorted by start within a document.
    """
    schema = _schema(REDACTIONS)
    if not findings.height:
        return documents, pl.DataFrame(schema=schema)
    spans = findings.group_by("doc_id", maintain_order=True).agg("start", "end", "replacement")
    hit = documents.select("doc_id", "text").join(spans, on="doc_id", maintain_order="left")
    texts, starts, ends = [], [], []
    for _, text, start, end, replacement in hit.iter_rows():
        new, where = redact(text, list(zip(start, end, replacement, strict=True)))
        texts.append(new)
        starts.append([w[0] for w in where])
        ends.append([w[1] for w in where])
    replaced = hit.select("doc_id").with_columns(pl.Series("_new", texts, dtype=pl.String))
    moved = hit.select("doc_id", old_start="start").with_columns(
        pl.Series("start", starts, dtype=pl.List(pl.Int64)),
        pl.Series("end", ends, dtype=pl.List(pl.Int64)),
    )
    moved = moved.explode("old_start", "start", "end")
    rows = (
        moved.join(
            findings.select(
                "doc_id",
                "entity_type",
                "score",
                "recogniser",
                "operator",
                old_start="start",
                original_length=pl.col("end") - pl.col("start"),
            ),
            on=["doc_id", "old_start"],
            maintain_order="left",
        )
        .select(schema.names())
        .cast(schema)
    )
    released = (
        documents.join(replaced, on="doc_id", how="left", maintain_order="left")
        .with_columns(text=pl.coalesce("_new", "text"))
        .drop("_new")
    )
    return released, rows


class Scrubber:
    """The recognisers, built once per worker.

    `entities` limits what is looked for (None: all); an unknown name raises ValueError.
    """

    def __init__(self, entities: tuple[str, ...] | None = None) -> None:
        from pipelines.personal_data.recognisers import ANY, analyzer

        known = shapes()
        if unknown := set(entities or ()) - set(known):
            raise ValueError(f"unknown entities {sorted(unknown)}; known: {sorted(known)}")
        self.shapes = {e: s for e, s in known.items() if entities is None or e in entities}
        self._engine, self._language = analyzer((ANY,), threshold=0.0), ANY
        self._artifacts = self._engine.nlp_engine.process_text("", ANY)

    def candidates(self, text: str, entities: list[str]) -> list[Span]:
        """All that the recognisers of `entities` find in `text`, also the doubtful."""
        found: list[Any] = self._engine.analyze(
            text, self._language, entities=entities, nlp_artifacts=self._artifacts
        )
        return [
            Span(r.start, r.end, r.entity_type, r.score, r.recognition_metadata["recognizer_name"])
            for r in found
        ]

    def _possible(self, texts: pl.DataFrame) -> pl.DataFrame:
        """The rows of `texts` that can hold an entity, with the list of those."""
        column = pl.col("text")
        some = texts.filter(column.str.contains(_ANYTHING))
        return some.with_columns(
            entities=pl.concat_list(
                [
                    pl.when(column.str.contains(shape)).then(pl.lit(entity))
                    for entity, shape in self.shapes.items()
                ]
            ).list.drop_nulls()
        ).filter(pl.col("entities").list.len() > 0)

    def find(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Findings in `documents` (doc_id, text, lang, jurisdiction; the last two nullable).

        Out: rows of FINDINGS in the documents' order, then by start; spans lie apart and count
        code points of the text.
        """
        rows = [
            (doc_id, s.entity, s.start, s.end, s.score, s.recogniser, OPERATOR, f"<{s.entity}>")
            for doc_id, text, lang, jurisdiction, entities in self._possible(
                documents.select("doc_id", "text", "lang", "jurisdiction")
            ).iter_rows()
            for s in resolve(self.candidates(text, entities), lang, jurisdiction)
        ]
        return pl.DataFrame(rows, schema=_schema(FINDINGS), orient="row")
