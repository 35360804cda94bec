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
    """A group of raw files.  Several inputs, of any format, can have the same collection: the
    register's `match.collections` refers to it."""

    collection: str
    format: str  # one of pipelines.ingest.readers.registry.FORMATS, or auto: detected
    paths: tuple[str, ...]  # patterns as written; relative to the params file
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageParams:
    """Parameters of the stage language.  `floors` and `labels` take precedence over the shipped ones.
    `labels`: a model's labels to language codes, or the JSON file that holds this mapping."""

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
    """A fastText classifier.  `model`: its path.  `label`: the label whose probability is the score.
    `floor`: for quality, the score below which a document fails (None: no document fails); for
    domains, the least score at which a document gets its domain."""

    model: str
    label: str | None = None
    floor: float | None = None


@dataclass(frozen=True)
class DomainParams:
    """How documents get their domain: by source, by URL, by a classifier."""

    sources: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[tuple[str, str], ...] = ()  # (pattern, domain); the first match counts
    classifier: ClassifierParams | None = None


@dataclass(frozen=True)
class QualityParams:
    """Parameters of the stage quality."""

    mode: str = "drop"  # drop | annotate
    thresholds: str | None = None
    classifier: ClassifierParams | None = None
    domains: DomainParams = field(default_factory=DomainParams)


@dataclass(frozen=True)
class EvaluationSet:
    """A file of texts that must not be trained on.  `words`: the length of the word runs to find."""

    name: str
    path: str  # resolved
    field: str = "text"
    words: int = 13


@dataclass(frozen=True)
class LineParams:
    """A line is boilerplate if this number and this share of a source's documents hold it."""

    min_documents: int = 10
    min_share: float = 0.5


@dataclass(frozen=True)
class SpanParams:
    """A repeated passage is a run of at least `min_words` words that occurs several times.  `mode`:
    `remove` it everywhere but once, or `annotate`: only record it."""

    min_words: int = 50
    mode: str = "remove"  # remove | annotate


@dataclass(frozen=True)
class DedupParams:
    """Parameters of the stage dedup."""

    shingle: int = 5
    shingle_of: str = "words"  # words | characters
    threshold: float = 0.7
    candidate: float = 0.75
    recall: float = 0.999
    rows: int = 5
    seed: int = 1
    containment: float | None = None  # None: texts inside longer texts are not searched
    figures: Mapping[str, str] = field(  # kind of source -> distinguish | ignore
        default_factory=lambda: {"institutional": "distinguish", "web": "ignore"}
    )
    index: str | None = None  # a folder, absolute: the documents of earlier releases
    decontaminate: tuple[EvaluationSet, ...] = ()
    lines: LineParams | None = None  # None: no line is removed
    spans: SpanParams | None = None  # None: repeated passages are not searched
    sources: tuple[str, ...] = ()  # order in which sources keep copies of equal rights


@dataclass(frozen=True)
class PolicyParams:
    """Which policy packs apply, and what they decide."""

    path: Path | None = None  # a folder of packs that replace the installation's
    enforce: str = "warn"  # warn | refuse
    duplicates: str = "any-lawful"  # any-lawful | all-lawful


@dataclass(frozen=True)
class ReleaseParams:
    """Name, place and content of the release."""

    name: str
    path: str
    shard_bytes: int = 256 * MIB
    mixture: Mixture | None = None


@dataclass(frozen=True)
class TokensParams:
    """Parameters of token shards.  `name`: their folder; None: named as the tokenizer's file."""

    tokenizer: Path | None = None  # a tokenizer.json; None: nothing is tokenized
    name: str | None = None
    separator: str | None = "<|endoftext|>"  # the token after each document; None: no token
    shard_tokens: int = 1 << 26


@dataclass(frozen=True)
class GuardParams:
    """The limits that stop a run, see `pipelines.engine.guard`."""

    min_keep_share: float = 0.02  # of its input, that a stage must keep
    max_fall: float = 0.5  # of the kept share, since the last release
    min_documents: int = 100  # smaller groups are not judged
    against: str | None = None  # the last release; None: the one that this run replaces
    allow: tuple[str, ...] = ()  # languages, sources and stages without a limit
    max_source_loss: float = 0.5  # of a source's documents, to one other source
    min_source_loss: int = 50  # documents; smaller losses are not judged
    accept_source_loss: tuple[str, ...] = ()  # "LOSER > KEEPER": losses that are intended


@dataclass(frozen=True)
class SealParams:
    """Keys that sign and verify releases; None: the keys under `work`.  `timestamp_url`: the authority
    that issues time stamps; None: no time stamp is requested."""

    signing_key: Path | None = None
    public_key: Path | None = None
    timestamp_url: str | None = None
    timestamp: str = "optional"  # optional | required


@dataclass(frozen=True)
class OpenLineageParams:
    """Where OpenLineage events are written.  They do not affect the output."""

    file: Path | None = None
    url: str | None = None


@dataclass(frozen=True)
class IngestParams:
    """Parameters of the stage ingest."""

    unit_bytes: int = 16 * MIB
    max_record_bytes: int = 64 * MIB
    extractor: str = "resiliparse"  # resiliparse | trafilatura
