"""The sections of the parameters, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.mixture import Mixture

MIB: Final = 1 << 20


@dataclass(frozen=True)
class Input:
    """One group of raw files.  A collection may be named by several inputs of any format: it
    is what the register's `match.collections` refers to, and says nothing about how to read."""

    collection: str
    format: str  # one of pipelines.ingest.readers.registry.FORMATS, or auto: by each file's bytes and name
    paths: tuple[str, ...]  # patterns as written; relative to the params file
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageParams:
    """`floors` and `labels` go before what is shipped; `labels`: a model's labels to codes, or the
    JSON file that holds them."""

    sample_chars: int = 400
    floor: float = 0.2
    floors: Mapping[str, float] = field(default_factory=dict)
    allow: tuple[str, ...] | None = None
    model: str | None = None
    labels: Mapping[str, str] | str | None = None
    mixed: str = "keep"  # keep | split | drop
    main_share: float = 0.8


@dataclass(frozen=True)
class ClassifierParams:
    """A fastText classifier by path.  `label`: whose probability is the score; `floor`: of
    quality, below which a document fails (None: none does); of domains, to be tagged."""

    model: str
    label: str | None = None
    floor: float | None = None


@dataclass(frozen=True)
class DomainParams:
    sources: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[tuple[str, str], ...] = ()  # (pattern, domain), the first that fits counts
    classifier: ClassifierParams | None = None


@dataclass(frozen=True)
class QualityParams:
    mode: str = "drop"  # drop | annotate
    thresholds: str | None = None
    classifier: ClassifierParams | None = None
    domains: DomainParams = field(default_factory=DomainParams)


@dataclass(frozen=True)
class EvaluationSet:
    """A file whose texts must not be trained on; `words`: the length of a run that is looked for."""

    name: str
    path: str  # resolved
    field: str = "text"
    words: int = 13


@dataclass(frozen=True)
class LineParams:
    """Which lines are boilerplate: those of so many of a source's documents, and of that share."""

    min_documents: int = 10
    min_share: float = 0.5


@dataclass(frozen=True)
class SpanParams:
    """Which passages are repeated: runs of so many words, in several places; what is done with
    them in all but one: `remove`, or `annotate`, which only records them."""

    min_words: int = 50
    mode: str = "remove"  # remove | annotate


@dataclass(frozen=True)
class DedupParams:
    shingle: int = 5
    shingle_of: str = "words"  # words | characters
    threshold: float = 0.7
    candidate: float = 0.75
    recall: float = 0.999
    rows: int = 5
    seed: int = 1
    containment: float | None = None  # None: a text inside a longer one is not looked at
    figures: Mapping[str, str] = field(  # kind of source -> distinguish | ignore
        default_factory=lambda: {"institutional": "distinguish", "web": "ignore"}
    )
    index: str | None = None  # a folder, resolved: what earlier releases hold
    decontaminate: tuple[EvaluationSet, ...] = ()
    lines: LineParams | None = None  # None: no line is removed
    spans: SpanParams | None = None  # None: no passage is looked for
    sources: tuple[str, ...] = ()  # whose copies stay where rights are equal, first those


@dataclass(frozen=True)
class PolicyParams:
    path: Path | None = None  # a folder of packs that take the place of this installation's
    enforce: str = "warn"  # warn | refuse
    duplicates: str = "any-lawful"  # any-lawful | all-lawful


@dataclass(frozen=True)
class ReleaseParams:
    name: str
    path: str
    shard_bytes: int = 256 * MIB
    mixture: Mixture | None = None


@dataclass(frozen=True)
class TokensParams:
    """`name`: what the token shards' folder is called; None: as the tokenizer's file is."""

    tokenizer: Path | None = None  # a tokenizer.json; None: nothing is tokenized
    name: str | None = None
    separator: str | None = "<|endoftext|>"  # the token that ends a document; None: none does
    shard_tokens: int = 1 << 26


@dataclass(frozen=True)
class GuardParams:
    """What stops a run, see `pipelines.engine.guard`."""

    min_keep_share: float = 0.02  # the least share of its input
    max_fall: float = 0.5  # the most that it may keep less than it did in the last release
    min_documents: int = 100  # fewer are not judged
    against: str | None = None  # the last release; None: the one in the place of this one
    allow: tuple[str, ...] = ()  # languages, sources and stages that may fall
    max_source_loss: float = 0.5  # of a source's documents, to one other source
    min_source_loss: int = 50  # documents; fewer are not looked at
    accept_source_loss: tuple[str, ...] = ()  # "LOSER > KEEPER": looked at, and meant


@dataclass(frozen=True)
class SealParams:
    """Where the keys lie that sign releases and verify them; None: those under `work`.
    `timestamp_url`: of the authority that is asked for a time stamp; None: none is."""

    signing_key: Path | None = None
    public_key: Path | None = None
    timestamp_url: str | None = None
    timestamp: str = "optional"  # optional | required


@dataclass(frozen=True)
class OpenLineageParams:
    """Where events of runs are told; nothing that is made depends on it."""

    file: Path | None = None
    url: str | None = None


@dataclass(frozen=True)
class IngestParams:
    unit_bytes: int = 16 * MIB
    max_record_bytes: int = 64 * MIB
    extractor: str = "resiliparse"  # resiliparse | trafilatura
