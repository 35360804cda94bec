"""The functions of the stage `dedup` without Beam: signatures, keys, verified edges, clusters.

A document's number has 64 bits: its shard's place in the sorted list of shards, then its row in
that shard's signatures. Only these numbers and 64-bit keys are shuffled to find near-duplicates.
Documents with the same key view are one *text*, named by one of their numbers. Edges join texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import numpy as np
import polars as pl

from pipelines.dedup import clusters
from pipelines.dedup.contamination import ContaminationFinder
from pipelines.text import minhash, numeric_tokens, ragged, shingles, transliteration
from schemas.sections import DedupParams

RULE_VERSION = f"{minhash.ALGORITHM}/{shingles.ALGORITHM}/{numeric_tokens.ALGORITHM}/{transliteration.ALGORITHM}/3"
ROW_BITS = 32
FIGURE_KEYS = 6
"""How many keys combine the figures with one value of the signature each. Two texts of similarity
s with the same figures share such a key with the probability 1 - (1 - s)**6: 0.9998 at 0.75."""

BAND_KEY = {"key": pl.UInt64, "doc": pl.UInt64}
PAIR = {"left": pl.UInt64, "right": pl.UInt64}
EDGE = {
    **PAIR,
    "similarity": pl.Float64,  # as measured
    "measure": pl.String,  # exact | jaccard | containment (of the shorter); latin-… across scripts
    "contained": pl.UInt64,  # the shorter text, if containment decided; else null
    "apart": pl.Boolean,  # similar, but two documents by their figures
}
#: Columns of signatures by which pairs are compared, and those from which band keys are computed.
COMPARED = ("doc", "exact", "distinguish", "shingles", "figured", "latin_shingles", "latin_figured")
BANDED = (*COMPARED, "signature", "latin_signature")
MEMBER = {
    "doc": pl.UInt64,
    "text": pl.UInt64,
    "component": pl.UInt64,
    "right": pl.Int64,
    "quality": pl.Float64,
    "captured_at": pl.String,
    "doc_id": pl.String,
    "source_id": pl.String,
    "refused_doc_id": pl.String,  # a refused record with the same bytes
}


def compute_signatures(
    documents: pl.DataFrame,
    ranks: Mapping[str, int],
    distinguishing: Iterable[str],
    params: DedupParams,
    finder: ContaminationFinder | None = None,
) -> pl.DataFrame:
    """Compute the signatures of documents.

    Args:
      documents: doc_id, uri, source_id, captured_at, quality, lang, text.
      ranks: source -> its rank; the least rank has the best right.
      distinguishing: sources where different figures make different documents.
      params: the section `dedup`.
      finder: the evaluation sets to look for.

    Returns:
      The documents without lang and text, and with: `contamination.COLUMNS`; `right` (the rank);
      `exact` (16 bytes); `text_sha256` (for the index alone); `distinguish` (bool); the columns of
      `_signature_columns` for the key view; the same columns, with the prefix `latin_`, for the
      Latin key. The latter are without shingles if the text has no Latin key.
    """
    text, source = documents["text"], pl.col("source_id")
    words = shingles.words(text)
    latin = shingles.words(transliteration.latin_keys(text, documents["lang"]))
    return documents.select("doc_id", "uri", "source_id", "captured_at", "quality").with_columns(
        *_signature_columns(words, params),
        *(c.alias(f"latin_{c.name}") for c in _signature_columns(latin, params)),
        *(finder or ContaminationFinder(())).find(words),
        right=source.replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64),
        distinguish=source.is_in(sorted(distinguishing)).fill_null(False),
        exact=shingles.exact_keys(words, text),
        text_sha256=_text_digests(text, params),
    )


def _text_digests(texts: pl.Series, params: DedupParams) -> pl.Series:
    """Return the SHA-256 of texts, by which withdrawals name them; nulls if there is no index."""
    if params.index is None:
        return pl.Series([None] * len(texts), dtype=pl.Binary)
    digests = [sha256(text).digest() for text in texts.fill_null("").cast(pl.Binary)]
    return pl.Series(digests, dtype=pl.Binary)


def _signature_columns(words: shingles.Words, params: DedupParams) -> list[pl.Series]:
    """Compute the columns by which n texts are compared.

    Returns:
      `shingles` (sorted distinct u64), `signature` (u32), `figures` (u64, in order), `figures_at`
      (i64, word numbers) and `figured` (u64, the digest of the figures).
    """
    by_word = params.shingle_of == "words"
    grams = shingles.shingle(words, params.shingle, "word" if by_word else "character")
    figures = numeric_tokens.find_figures(words)
    number = minhash.fewest_bands(params.candidate, params.recall, params.rows) * params.rows
    signature = minhash.signatures(grams, number, params.seed)
    return [
        ragged.lists(grams.hashes, grams.offsets).alias("shingles"),
        pl.Series(
            "signature",
            signature if len(signature) else [],
            dtype=pl.Array(pl.UInt32, number),
        ),
        ragged.lists(figures.hashes, figures.offsets).alias("figures"),
        ragged.lists(figures.at, figures.offsets).alias("figures_at"),
        pl.Series("figured", figures.digests()),
    ]


def document_numbers(place: int, rows: int) -> pl.Series:
    """Return the numbers of a shard's documents, as the series `doc`."""
    first = np.uint64(place) << np.uint64(ROW_BITS)
    return pl.Series("doc", first + np.arange(rows, dtype=np.uint64))


def shard_places(docs: pl.Series) -> np.ndarray:
    """Return the places of the documents' shards."""
    return docs.to_numpy() >> np.uint64(ROW_BITS)


def shard_rows(docs: pl.Series) -> np.ndarray:
    """Return the rows of documents in their shards."""
    return docs.to_numpy() & np.uint64((1 << ROW_BITS) - 1)


def exact_copies(keys: pl.DataFrame) -> pl.DataFrame:
    """Find exact copies: exact, doc -> doc, text. The least document of a key names the text."""
    text = pl.col("doc").min().over("exact")
    return keys.select("doc", text=text).filter(pl.col("doc") != pl.col("text"))


def band_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Compute the keys that near-duplicates share with high probability.

    A text has a key per band. If figures distinguish its documents, it has `FIGURE_KEYS` more,
    which combine bands with the figures: the bands of a template have many members, but only those
    with the same figures can be one document. A text with a Latin key has the same keys again for
    it, so that it meets texts in Latin script. Texts without words have no keys.

    Args:
      signed: `BANDED` and doc.
      params: the section `dedup`.

    Returns:
      `BAND_KEY`.
    """
    keys = [
        _band_keys(
            signed.select(
                "doc",
                "distinguish",
                *(pl.col(f"{prefix}{c}").alias(c) for c in ("shingles", "signature", "figured")),
            ),
            params,
        )
        for prefix in ("", "latin_")
    ]
    return pl.concat(keys)


def _band_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Compute the keys from doc, distinguish, shingles, signature, figured."""
    number = minhash.fewest_bands(params.candidate, params.recall, params.rows)
    filled = signed.filter(pl.col("shingles").list.len() > 0)
    flat = filled["signature"].explode().cast(pl.UInt32).to_numpy()
    signature = flat.reshape(filled.height, number * params.rows)
    keys = minhash.band_keys(signature, number, params.rows)
    docs = filled["doc"].to_numpy()
    distinguish = (filled["distinguish"] & (filled["figured"] != 0)).to_numpy()
    step = max(1, signature.shape[1] // FIGURE_KEYS)
    values = signature[distinguish][:, ::step][:, :FIGURE_KEYS]
    finer = minhash.band_keys(values, values.shape[1], 1)
    finer = shingles.fmix64(finer + filled["figured"].to_numpy()[distinguish, None])
    return pl.DataFrame(
        {
            "key": np.concatenate([keys.ravel(), finer.ravel()]),
            "doc": np.concatenate(
                [np.repeat(docs, number), np.repeat(docs[distinguish], values.shape[1])]
            ),
        }
    )


def verify_pairs(pairs: pl.DataFrame, signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Verify candidate pairs by measuring their similarity.

    Args:
      pairs: left, right.
      signed: `COMPARED` of all documents of the pairs, sorted by doc.
      params: the section `dedup`.

    Returns:
      `EDGE`: the pairs with the same exact key; the pairs whose Jaccard similarity reaches the
      threshold; if the parameters ask for containment, the pairs whose shorter text is contained in
      the longer; and the pairs that satisfy one of these by their Latin keys. `apart` is true if
      the figures differ and figures distinguish the documents of either source.
    """
    sides = ["left", "right"]
    distinct = pairs.unique(sides).sort(sides)
    signed = signed.with_columns(keyed=pl.col("latin_shingles").list.len() > 0)
    about = {side: signed.select(pl.col("doc").alias(side), "exact", "keyed") for side in sides}
    joined = distinct.join(about["left"], on="left", how="left", maintain_order="left").join(
        about["right"], on="right", how="left", maintain_order="left"
    )
    equal = pl.col("exact") == pl.col("exact_right")
    same = joined.filter(equal).select(
        "left",
        "right",
        similarity=pl.lit(1.0),
        measure=pl.lit("exact"),
        contained=pl.lit(None, pl.UInt64),
        apart=pl.lit(False),
    )
    others = joined.filter(~equal)
    plain = _similar_pairs(others.select(sides), signed, params)
    keyed = (
        others.filter(pl.col("keyed") | pl.col("keyed_right"))
        .select(sides)
        .join(plain, on=sides, how="anti", maintain_order="left")
    )
    across = (
        _similar_pairs(keyed, _with_latin_keys(signed), params) if keyed.height else plain.clear()
    )
    across = across.with_columns(measure=pl.format("latin-{}", "measure"))
    return pl.concat([same, plain, across]).sort(sides)


def _with_latin_keys(signed: pl.DataFrame) -> pl.DataFrame:
    """Replace the key view's columns by those of the Latin key, for texts that have one."""
    return signed.with_columns(
        pl.when("keyed").then(f"latin_{c}").otherwise(c).alias(c) for c in ("shingles", "figured")
    )


def _similar_pairs(pairs: pl.DataFrame, signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Return `EDGE` of the distinct pairs that reach a threshold.

    Args:
      pairs: left, right.
      signed: doc, shingles, figured, distinguish, sorted by doc.
      params: the section `dedup`.
    """
    sizes = signed["shingles"].list.len().to_numpy().astype(np.int64)
    flat = signed["shingles"].explode().drop_nulls().cast(pl.UInt64).to_numpy()
    grams = shingles.Shingles(flat, ragged.offsets_of(sizes))
    measured = clusters.jaccard(pairs, grams, signed["doc"].to_numpy())
    near = pl.col("similarity") >= params.threshold
    inside = pl.lit(False)
    if params.containment is not None:
        inside = ~near & (pl.col("containment") >= params.containment)
    similar = measured.with_columns(near=near, inside=inside).filter(
        pl.col("near") | pl.col("inside")
    )
    about = signed.select("doc", "figured", "distinguish", size=pl.Series(sizes))
    shorter = pl.when(pl.col("size") < pl.col("size_right")).then("left").otherwise("right")
    return (
        similar.join(about, left_on="left", right_on="doc", how="left", maintain_order="left")
        .join(about, left_on="right", right_on="doc", how="left", maintain_order="left")
        .select(
            "left",
            "right",
            similarity=pl.when("near").then("similarity").otherwise("containment"),
            measure=pl.when("near").then(pl.lit("jaccard")).otherwise(pl.lit("containment")),
            contained=pl.when("inside").then(shorter),
            apart=(pl.col("distinguish") | pl.col("distinguish_right"))
            & (pl.col("figured") != pl.col("figured_right")),
        )
    )


def summarize_apart(edges: pl.DataFrame, signed: pl.DataFrame) -> pl.DataFrame:
    """Summarize the pairs that figures keep apart, a row per document.

    Args:
      edges: `EDGE`, all of them apart.
      signed: doc, doc_id, figures, figures_at of all documents of the edges.

    Returns:
      doc, other_doc_id (the most similar document), similarity, documents (how many are kept
      apart), number, date, docket (how many figures of each kind differ from the most similar
      document), at (their word numbers).
    """
    turned = edges.rename({"left": "right", "right": "left"}).select(edges.columns)
    ids = signed.select("doc", "doc_id")
    nearest = (
        pl.concat([edges, turned])
        .select("similarity", doc="left", other="right")
        .join(ids.rename({"doc": "other", "doc_id": "other_doc_id"}), on="other")
        .sort("doc", "similarity", "other_doc_id", descending=[False, True, False])
        .with_columns(documents=pl.len().over("doc").cast(pl.Int64))
        .unique("doc", keep="first", maintain_order=True)
    )
    differ = numeric_tokens.figure_differences(
        nearest.select("doc", "other"), signed.select("doc", "figures", "figures_at")
    )
    return nearest.drop("other").join(differ, on="doc", maintain_order="left")


def rank_members(members: pl.DataFrame) -> pl.DataFrame:
    """Sort documents by preference and add `rank`. Nulls come last.

    The best right comes first, then the highest quality, the earliest capture, the least id.
    """
    ranked = members.sort(
        "right",
        "quality",
        "captured_at",
        "doc_id",
        descending=[False, True, False, False],
        nulls_last=True,
    )
    return ranked.with_row_index("rank")


def best_per_text(members: pl.DataFrame) -> pl.DataFrame:
    """Return the row of `rank_members` of the best document of each text."""
    return rank_members(members).unique("text", keep="first", maintain_order=True)


def resolve_clusters(members: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Decide which documents of components stay.

    Each removed document was compared with the document that is kept for it. A text that is
    contained in another is removed only if the other has the better right.

    Args:
      members: `MEMBER`, all documents of the components.
      edges: `EDGE` between their texts, verified, none apart.

    Returns:
      The members of each cluster of at least two: doc, measure, kept (a number), kept_doc_id,
      kept_source_id, similarity, kind, refused_doc_id (of any member), cluster_id. The survivor is
      its own `kept`, with similarity 1.
    """
    best = best_per_text(members)
    removed = _removed_texts(edges, best.select("rank", doc="text"))
    survivors = best.select("source_id", "doc_id", final="text", kept="doc")
    resolved = (
        members.select("doc", "text", "refused_doc_id")
        .join(removed, on="text", how="left")
        .with_columns(
            final=pl.coalesce("final", "text"), measure=pl.col("measure").fill_null("exact")
        )
        .join(survivors, on="final")
        .with_columns(pl.col("refused_doc_id").min().over("kept"))
    )
    return (
        resolved.filter(pl.len().over("kept") > 1)
        .select(
            "doc",
            "measure",
            "kept",
            "refused_doc_id",
            kept_doc_id="doc_id",
            kept_source_id="source_id",
            similarity=pl.col("similarity").fill_null(1.0),
            kind=pl.when(pl.col("measure") == "exact")
            .then(pl.lit("exact"))
            .otherwise(pl.lit("near")),
            cluster_id="doc_id",
        )
        .sort("doc")
    )


def _removed_texts(edges: pl.DataFrame, rank: pl.DataFrame) -> pl.DataFrame:
    """Choose the texts to remove.

    Args:
      edges: `EDGE`, verified, none apart.
      rank: doc (a text), rank (of its best document).

    Returns:
      text, final (the text that is kept for it), similarity, measure (of their edge).
    """
    ranks = {side: rank.rename({"doc": side, "rank": f"{side}_rank"}) for side in ("left", "right")}
    better = pl.when(pl.col("left_rank") < pl.col("right_rank")).then("left").otherwise("right")
    allowed = (
        edges.join(ranks["left"], on="left", how="left")
        .join(ranks["right"], on="right", how="left")
        .filter(pl.col("contained").is_null() | (pl.col("contained") != better))
        .select("left", "right", "similarity", "measure")
    )
    removed = clusters.choose_survivors(allowed, rank).filter(pl.col("doc") != pl.col("kept"))
    measured = removed.with_columns(
        left=pl.min_horizontal("doc", "kept"), right=pl.max_horizontal("doc", "kept")
    ).join(allowed.unique(["left", "right"]), on=["left", "right"], suffix="_edge")
    return measured.select("similarity", "measure", text="doc", final="kept")
