"""Scrub batches of documents: find their personal data and replace it.

The values themselves never leave this package: the rows contain positions and classes only.
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
    """Replace spans of `text`.

    Args:
      spans: (start, end, replacement), sorted, not overlapping.

    Returns:
      The new text, and (start, end) of each replacement in it.
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
    """Replace the findings in documents.

    Args:
      documents: doc_id, text, and any other columns.
      findings: rows of FINDINGS as `Scrubber.find` returns them: not overlapping, sorted by start.

    Returns:
      The documents with new texts, and rows of REDACTIONS.  Their positions are those of the
      replacements in the new texts.
    """
    if not findings.height:
        return documents, pl.DataFrame(schema=_schema(REDACTIONS))
    spans = findings.group_by("doc_id", maintain_order=True).agg("start", "end", "replacement")
    hit = documents.select("doc_id", "text").join(spans, on="doc_id", maintain_order="left")
    texts, new_starts, new_ends = [], [], []
    for _, text, starts, ends, replacements in hit.iter_rows():
        new, positions = redact(text, list(zip(starts, ends, replacements, strict=True)))
        texts.append(new)
        new_starts.append([start for start, _ in positions])
        new_ends.append([end for _, end in positions])
    replaced = hit.select("doc_id").with_columns(pl.Series("_new", texts, dtype=pl.String))
    moved = hit.select("doc_id", old_start="start").with_columns(
        pl.Series("start", new_starts, dtype=pl.List(pl.Int64)),
        pl.Series("end", new_ends, dtype=pl.List(pl.Int64)),
    )
    released = (
        documents.join(replaced, on="doc_id", how="left", maintain_order="left")
        .with_columns(text=pl.coalesce("_new", "text"))
        .drop("_new")
    )
    return released, _redactions(moved.explode("old_start", "start", "end"), findings)


def _redactions(moved: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of REDACTIONS.

    Args:
      moved: doc_id, old_start (in the old text), start, end (in the new text) of each finding.
    """
    schema = _schema(REDACTIONS)
    return (
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


class Scrubber:
    """Finds and replaces personal data by the rules and the policy; built once per worker.

    Args:
      entities: the classes that the rules find (None: all).
      operators: make the replacements (None: a placeholder each).
      names: finds names and the classes of models (None: not searched).

    Raises:
      ValueError: a class is unknown.
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
        """Return all candidates in `text`, also those with scores below the threshold."""
        return next((spans for _, spans in self._finder.find([text])), [])

    def find(
        self, documents: pl.DataFrame, more: Mapping[str, Sequence[Span]] | None = None
    ) -> pl.DataFrame:
        """Find personal data in documents.

        Args:
          documents: doc_id, text, lang, jurisdiction, and optionally source_id; all columns but the
            first two are nullable.
          more: doc_id -> further resolved spans of its text.

        Returns:
          Rows of FINDINGS in the documents' order, then by start.  Spans do not overlap and count
          code points.  Findings that the policy keeps are left out.
        """
        return pl.DataFrame(
            list(self._rows(documents, more or {})), schema=_schema(FINDINGS), orient="row"
        )

    def find_spans(self, documents: pl.DataFrame) -> dict[str, list[Span]]:
        """Find personal data in documents, whatever the policy does with it.

        Args:
          documents: as for `find`.

        Returns:
          doc_id -> resolved spans by start.  Documents without findings are absent.
        """
        ids, langs, homes = (documents[c].to_list() for c in ("doc_id", "lang", "jurisdiction"))
        candidates = self._candidates(documents["text"].to_list(), langs)
        resolved = ((ids[i], resolve(spans, langs[i], homes[i])) for i, spans in candidates)
        return {doc_id: spans for doc_id, spans in resolved if spans}

    def _rows(
        self, documents: pl.DataFrame, more: Mapping[str, Sequence[Span]]
    ) -> Iterator[tuple[Any, ...]]:
        ids, texts, homes = (documents[c].to_list() for c in ("doc_id", "text", "jurisdiction"))
        has_source = "source_id" in documents.columns
        sources = documents["source_id"].to_list() if has_source else [None] * len(ids)
        spans = self.find_spans(documents)
        for i, doc_id in enumerate(ids):
            for s in merge_resolved(spans.get(doc_id, ()), more.get(doc_id, ())):
                value = texts[i][s.start : s.end]
                if not value.strip():  # `merge_resolved` can leave a piece of blanks
                    continue
                replaced = self._operators.apply(
                    s, value, doc_id=doc_id, source=sources[i], jurisdiction=homes[i]
                )
                if replaced:
                    yield (doc_id, s.entity, s.start, s.end, s.score, s.recogniser, *replaced)

    def _candidates(
        self, texts: list[str | None], langs: list[str | None]
    ) -> Iterable[tuple[int, list[Span]]]:
        if self._names is None:
            return self._finder.find(texts)
        spans = dict(self._finder.find(texts))
        for i, text in enumerate(texts):
            if text and (named := self._names.find(text, langs[i])):
                spans.setdefault(i, []).extend(named)
        return sorted(spans.items())


def scrubber(policy: PrivacyParams) -> Scrubber:
    """Build the scrubber of a policy, with the key that its parameters name.

    Raises:
      pseudonym_key.BadKey: the key cannot be read or is too short.
    """
    known = rules.entities()
    wanted = known if policy.entities is None else policy.entities
    names = Names(policy) if policy.names or policy.ner else None
    operators = Operators(policy, pseudonym_key.read(policy.key))
    return Scrubber(tuple(e for e in wanted if e in known), operators, names)
