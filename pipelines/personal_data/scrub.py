"""Scrub batches of documents: find their personal data, and put placeholders in its place.

A value found never leaves this package: rows hold positions and classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.personal_data import pseudonym_key, rules
from pipelines.personal_data.finder import Finder
from pipelines.personal_data.findings import Span, merge_resolved, resolve
from pipelines.personal_data.names import Names
from pipelines.personal_data.operators import Operators
from schemas.privacy import PrivacyParams
from schemas.tables import FINDINGS, REDACTIONS

if TYPE_CHECKING:
    import pyarrow as pa


def _schema(arrow: pa.Schema) -> pl.Schema:
    empty = pl.from_arrow(arrow.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty.schema


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


def apply_findings(
    documents: pl.DataFrame, findings: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
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
    """The rules and the policy, made ready once per worker.

    `entities` limits what is looked for (None: all); an unknown name raises ValueError.
    `operators` say what is done with it (None: a placeholder each), `names` who finds names.
    """

    def __init__(
        self,
        entities: tuple[str, ...] | None = None,
        operators: Operators | None = None,
        names: Names | None = None,
    ) -> None:
        self._finder = Finder(entities)
        self._operators = operators or Operators(PrivacyParams())
        self._names = names
        self.entities = self._finder.entities

    def candidates(self, text: str) -> list[Span]:
        """All that is found in `text`, also the doubtful."""
        return next((spans for _, spans in self._finder.find([text])), [])

    def find(
        self, documents: pl.DataFrame, more: Mapping[str, Sequence[Span]] | None = None
    ) -> pl.DataFrame:
        """Findings in `documents` (doc_id, text, lang, jurisdiction, and where there is one
        source_id; all but the first two nullable).  `more`: doc_id -> what else was found in it.

        Out: rows of FINDINGS in the documents' order, then by start; spans lie apart and count
        code points of the text.  What the policy keeps is not among them.
        """
        return pl.DataFrame(
            list(self._rows(documents, more or {})), schema=_schema(FINDINGS), orient="row"
        )

    def find_spans(self, documents: pl.DataFrame) -> dict[str, list[Span]]:
        """What is found in documents as `find` takes them, before the policy says what becomes of
        it: doc_id -> spans apart, by start; those without any are absent."""
        ids, langs, homes = (documents[c].to_list() for c in ("doc_id", "lang", "jurisdiction"))
        found = self._candidates(documents["text"].to_list(), langs)
        told = ((ids[i], resolve(spans, langs[i], homes[i])) for i, spans in found)
        return {doc_id: spans for doc_id, spans in told if spans}

    def _rows(
        self, documents: pl.DataFrame, more: Mapping[str, Sequence[Span]]
    ) -> Iterator[tuple[Any, ...]]:
        ids, texts, homes = (documents[c].to_list() for c in ("doc_id", "text", "jurisdiction"))
        known = "source_id" in documents.columns
        sources = documents["source_id"].to_list() if known else [None] * len(ids)
        found = self.find_spans(documents)
        for i, doc_id in enumerate(ids):
            for s in merge_resolved(found.get(doc_id, ()), more.get(doc_id, ())):
                value = texts[i][s.start : s.end]
                if not value.strip():  # the edge of what `together` cut
                    continue
                if done := self._operators.apply(s, value, doc_id, sources[i], homes[i]):
                    yield (doc_id, s.entity, s.start, s.end, s.score, s.recogniser, *done)

    def _candidates(
        self, texts: list[str | None], langs: list[str | None]
    ) -> Iterable[tuple[int, list[Span]]]:
        if self._names is None:
            return self._finder.find(texts)
        found = dict(self._finder.find(texts))
        for i, text in enumerate(texts):
            if text and (named := self._names.find(text, langs[i])):
                found.setdefault(i, []).extend(named)
        return sorted(found.items())


def scrubber(policy: PrivacyParams) -> Scrubber:
    """What the parameters ask for, with the key from where they say.

    Raises:
      pseudonym_key.BadKey: where it cannot be had.
    """
    known = rules.entities()
    asked = known if policy.entities is None else policy.entities
    names = Names(policy) if policy.names or policy.ner else None
    operators = Operators(policy, pseudonym_key.read(policy.key))
    return Scrubber(tuple(e for e in asked if e in known), operators, names)
