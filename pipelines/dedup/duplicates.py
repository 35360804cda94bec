"""What the stage `dedup` computes, without Beam: signatures, keys, verified edges, who stays.

A document's number is 64 bits: its shard's place in the sorted list of shards, then its row in
that shard's signatures; with a 64-bit key it is all that is shuffled to find near-duplicates.
Of documents with the same key view one number stands for the *text*; edges are between texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import numpy as np
import polars as pl

from pipelines.dedup import clusters
from pipelines.dedup.contamination import Contamination
from pipelines.text import minhash, numeric_tokens, ragged, shingles, transliteration
from schemas.sections import DedupParams

RULE_VERSION = f"{minhash.ALGORITHM}/{shingles.ALGORITHM}/{numeric_tokens.ALGORITHM}/{transliteration.ALGORITHM}/3"
ROW_BITS = 32
FIGURE_KEYS = 6
"""Keys of figures with one value of the signature each: texts of similarity s and the same
figures meet in one of them with 1 - (1 - s)**6, 0.9998 at 0.75."""

KEYED = {"key": pl.UInt64, "doc": pl.UInt64}
PAIR = {"left": pl.UInt64, "right": pl.UInt64}
EDGE = {
    **PAIR,
    "similarity": pl.Float64,  # what was measured
    "measure": pl.String,  # exact | jaccard | containment (of the shorter); latin-… across scripts
    "contained": pl.UInt64,  # the shorter text, where containment decided; else null
    "apart": pl.Boolean,  # similar, and two documents by their figures
}
#: Columns of what is signed: what bands are made of, and what pairs are compared by.
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


def sign(
    documents: pl.DataFrame,
    ranks: Mapping[str, int],
    apart: Iterable[str],
    params: DedupParams,
    sets: Contamination | None = None,
) -> pl.DataFrame:
    """What is kept of documents doc_id, uri, source_id, captured_at, quality, lang, text.

    Args:
      documents: n of them.
      ranks: source -> place in the order of right.
      apart: sources whose documents figures tell apart.
      sets: the evaluation sets that are looked for.

    Returns:
      The same without lang and text, with `contamination.FOUND`, `right`, `exact` (16 bytes),
      `text_sha256` (for the index alone), `distinguish` (bool), what `_compared` tells of the
      key view, and the same, called `latin_…`, of the Latin key (`latin.keys`) where the text has
      one; else without shingles.
    """
    text, source = documents["text"], pl.col("source_id")
    words = shingles.words(text)
    keyed = transliteration.latin_keys(text, documents["lang"])
    return documents.select("doc_id", "uri", "source_id", "captured_at", "quality").with_columns(
        *_compared(words, params),
        *(c.alias(f"latin_{c.name}") for c in _compared(shingles.words(keyed), params)),
        *(sets or Contamination(())).find(words),
        right=source.replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64),
        distinguish=source.is_in(sorted(apart)).fill_null(False),
        exact=shingles.exact_keys(words, text),
        text_sha256=_digests(text, params),
    )


def _digests(texts: pl.Series, params: DedupParams) -> pl.Series:
    """SHA-256 of texts, by which withdrawals name them, for the index; null without one."""
    if params.index is None:
        return pl.Series([None] * len(texts), dtype=pl.Binary)
    digests = [sha256(text).digest() for text in texts.fill_null("").cast(pl.Binary)]
    return pl.Series(digests, dtype=pl.Binary)


def _compared(words: shingles.Words, params: DedupParams) -> list[pl.Series]:
    """`shingles` (sorted distinct u64), `signature` (u32), `figures` (u64, in order), `figures_at`
    (i64) and `figured` (u64, their digest) of n texts."""
    by_word = params.shingle_of == "words"
    grams = shingles.shingle(words, params.shingle, "word" if by_word else "character")
    told = numeric_tokens.find_figures(words)
    number = minhash.fewest_bands(params.candidate, params.recall, params.rows) * params.rows
    signature = minhash.signatures(grams, number, params.seed)
    return [
        ragged.lists(grams.hashes, grams.offsets).alias("shingles"),
        pl.Series(
            "signature",
            signature if len(signature) else [],
            dtype=pl.Array(pl.UInt32, number),
        ),
        ragged.lists(told.hashes, told.offsets).alias("figures"),
        ragged.lists(told.at, told.offsets).alias("figures_at"),
        pl.Series("figured", told.digests()),
    ]


def numbers(place: int, rows: int) -> pl.Series:
    """The numbers of a shard's documents."""
    first = np.uint64(place) << np.uint64(ROW_BITS)
    return pl.Series("doc", first + np.arange(rows, dtype=np.uint64))


def place_of(docs: pl.Series) -> np.ndarray:
    """The shards' places of documents, by number."""
    return docs.to_numpy() >> np.uint64(ROW_BITS)


def row_of(docs: pl.Series) -> np.ndarray:
    """The rows of documents in their shards, by number."""
    return docs.to_numpy() & np.uint64((1 << ROW_BITS) - 1)


def copies(keys: pl.DataFrame) -> pl.DataFrame:
    """exact, doc -> [doc, text] of all documents but one per key: the least stands for the text."""
    text = pl.col("doc").min().over("exact")
    return keys.select("doc", text=text).filter(pl.col("doc") != pl.col("text"))


def band_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """`BANDED` and doc -> [key, doc]: what is shuffled.

    A key per band; where figures tell documents apart, moreover `FIGURE_KEYS` that also hold the
    figures: a template's bands have many members, of which only those with the same figures can
    be one document.  The same once more of a Latin key, so that it meets texts which are written
    so.  Texts without words have none.
    """
    found = [
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
    return pl.concat(found)


def _band_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    number = minhash.fewest_bands(params.candidate, params.recall, params.rows)
    filled = signed.filter(pl.col("shingles").list.len() > 0)
    flat = filled["signature"].explode().cast(pl.UInt32).to_numpy()
    signature = flat.reshape(filled.height, number * params.rows)
    keys = minhash.band_keys(signature, number, params.rows)
    docs = filled["doc"].to_numpy()
    some = (filled["distinguish"] & (filled["figured"] != 0)).to_numpy()
    step = max(1, signature.shape[1] // FIGURE_KEYS)
    values = signature[some][:, ::step][:, :FIGURE_KEYS]
    finer = minhash.band_keys(values, values.shape[1], 1)
    finer = shingles.fmix64(finer + filled["figured"].to_numpy()[some, None])
    return pl.DataFrame(
        {
            "key": np.concatenate([keys.ravel(), finer.ravel()]),
            "doc": np.concatenate(
                [np.repeat(docs, number), np.repeat(docs[some], values.shape[1])]
            ),
        }
    )


def verify(pairs: pl.DataFrame, signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Compare candidate pairs.

    Args:
      pairs: left, right.
      signed: `COMPARED` of all that are named, doc ascending.

    Returns:
      `EDGE`: the pairs with one exact key; those whose Jaccard similarity reaches the threshold,
      or, where the parameters ask for it, of which the shorter is contained in the longer; those
      that do so by their Latin keys.  `apart` if figures differ and either comes from a source in
      which they count.
    """
    sides = ["left", "right"]
    distinct = pairs.unique(sides).sort(sides)
    signed = signed.with_columns(keyed=pl.col("latin_shingles").list.len() > 0)
    about = {side: signed.select(pl.col("doc").alias(side), "exact", "keyed") for side in sides}
    known = distinct.join(about["left"], on="left", how="left", maintain_order="left").join(
        about["right"], on="right", how="left", maintain_order="left"
    )
    equal = pl.col("exact") == pl.col("exact_right")
    same = known.filter(equal).select(
        "left",
        "right",
        similarity=pl.lit(1.0),
        measure=pl.lit("exact"),
        contained=pl.lit(None, pl.UInt64),
        apart=pl.lit(False),
    )
    others = known.filter(~equal)
    plain = _alike(others.select(sides), signed, params)
    keyed = (
        others.filter(pl.col("keyed") | pl.col("keyed_right"))
        .select(sides)
        .join(plain, on=sides, how="anti", maintain_order="left")
    )
    across = _alike(keyed, _in_latin(signed), params) if keyed.height else plain.clear()
    across = across.with_columns(measure=pl.format("latin-{}", "measure"))
    return pl.concat([same, plain, across]).sort(sides)


def _in_latin(signed: pl.DataFrame) -> pl.DataFrame:
    """The Latin keys in the place of the texts that have one."""
    return signed.with_columns(
        pl.when("keyed").then(f"latin_{c}").otherwise(c).alias(c) for c in ("shingles", "figured")
    )


def _alike(pairs: pl.DataFrame, signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """`EDGE` of distinct pairs, by doc, shingles, figured, distinguish."""
    sizes = signed["shingles"].list.len().to_numpy().astype(np.int64)
    flat = signed["shingles"].explode().drop_nulls().cast(pl.UInt64).to_numpy()
    grams = shingles.Shingles(flat, ragged.offsets_of(sizes))
    measured = clusters.jaccard(pairs, grams, signed["doc"].to_numpy())
    near = pl.col("similarity") >= params.threshold
    inside = pl.lit(False)
    if params.containment is not None:
        inside = ~near & (pl.col("containment") >= params.containment)
    some = measured.with_columns(near=near, inside=inside).filter(pl.col("near") | pl.col("inside"))
    about = signed.select("doc", "figured", "distinguish", size=pl.Series(sizes))
    shorter = pl.when(pl.col("size") < pl.col("size_right")).then("left").otherwise("right")
    return (
        some.join(about, left_on="left", right_on="doc", how="left", maintain_order="left")
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


def kept_apart(edges: pl.DataFrame, signed: pl.DataFrame) -> pl.DataFrame:
    """Of pairs that figures keep apart, a row per document: how many there are, the one that is
    most alike, and in how many figures, of what kinds, the document differs from it.

    Args:
      edges: `EDGE`, all of them apart.
      signed: doc, doc_id, figures, figures_at of all that are named.

    Returns:
      doc, other_doc_id, similarity, documents, number, date, docket, at.
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


def order(members: pl.DataFrame) -> pl.DataFrame:
    """The same with `rank`: best right first, then the highest quality, the earliest capture, the
    least id; what is not known comes last."""
    ranked = members.sort(
        "right",
        "quality",
        "captured_at",
        "doc_id",
        descending=[False, True, False, False],
        nulls_last=True,
    )
    return ranked.with_row_index("rank")


def texts(members: pl.DataFrame) -> pl.DataFrame:
    """`MEMBER` -> text, component, rank, and the best document of each text: doc, doc_id,
    source_id."""
    return order(members).unique("text", keep="first", maintain_order=True)


def resolve(members: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Decide who stays in whole components.

    Args:
      members: `MEMBER`, all documents of the components.
      edges: `EDGE` between their texts, verified, none apart.

    Returns:
      doc, measure, kept (a number), kept_doc_id, kept_source_id, similarity, kind, refused_doc_id
      (of any member), cluster_id: the members of
      every cluster of at least two; the one that stays is its own `kept`, with similarity 1.
      Each document that goes was compared with the one that is kept for it.  A text contained
      in another goes only if the other has the better right.
    """
    best = texts(members)
    rank = best.select("rank", doc="text")
    place = {side: rank.rename({"doc": side, "rank": f"{side}_rank"}) for side in ("left", "right")}
    better = pl.when(pl.col("left_rank") < pl.col("right_rank")).then("left").otherwise("right")
    allowed = (
        edges.join(place["left"], on="left", how="left")
        .join(place["right"], on="right", how="left")
        .filter(pl.col("contained").is_null() | (pl.col("contained") != better))
        .select("left", "right", "similarity", "measure")
    )
    near = clusters.survivors(allowed, rank).filter(pl.col("doc") != pl.col("kept"))
    measured = near.with_columns(
        left=pl.min_horizontal("doc", "kept"), right=pl.max_horizontal("doc", "kept")
    ).join(allowed.unique(["left", "right"]), on=["left", "right"], suffix="_edge")
    gone = measured.select("similarity", "measure", text="doc", final="kept")
    stays = best.select("source_id", "doc_id", final="text", kept="doc")
    kept = (
        members.select("doc", "text", "refused_doc_id")
        .join(gone, on="text", how="left")
        .with_columns(
            final=pl.coalesce("final", "text"), measure=pl.col("measure").fill_null("exact")
        )
        .join(stays, on="final")
        .with_columns(pl.col("refused_doc_id").min().over("kept"))
    )
    return (
        kept.filter(pl.len().over("kept") > 1)
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
