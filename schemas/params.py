"""The parameters of a run: check the content of `params.yaml`, build them, digest them.

`as_of`, `purpose`, `storage_country`, `register`, `inputs`, `licences`, `work` and `release` are
required; all other sections are optional.  Unknown keys are errors.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

from schemas.canonical import canonical_json, sorted_unique
from schemas.errors import Problem
from schemas.licences import is_single, normalise
from schemas.mixture import Mixture
from schemas.privacy import PrivacyParams, build_privacy
from schemas.schema_check import check
from schemas.sections import (
    ClassifierParams,
    DedupParams,
    DomainParams,
    EvaluationSet,
    GuardParams,
    IngestParams,
    Input,
    LanguageParams,
    LineParams,
    OpenLineageParams,
    PolicyParams,
    QualityParams,
    ReleaseParams,
    SealParams,
    SpanParams,
    TokensParams,
)
from schemas.stages import SECTIONS
from schemas.yaml_source import YamlSource

S = TypeVar("S")


@dataclass(frozen=True)
class Params:
    """The parameters.  `path` is their file, `root` its folder; `register` and `work` are absolute."""

    path: Path
    root: Path
    as_of: date
    purpose: str
    storage_country: str
    register: Path
    inputs: tuple[Input, ...]
    licences_allow: tuple[str, ...]
    work: Path
    release: ReleaseParams
    signals: str = "fetch"  # fetch | latest | strictest
    robots_agents: tuple[str, ...] = ()
    policy: PolicyParams = field(default_factory=PolicyParams)
    ingest: IngestParams = field(default_factory=IngestParams)
    language: LanguageParams = field(default_factory=LanguageParams)
    quality: QualityParams = field(default_factory=QualityParams)
    dedup: DedupParams = field(default_factory=DedupParams)
    privacy: PrivacyParams = field(default_factory=PrivacyParams)
    tokens: TokensParams = field(default_factory=TokensParams)
    guard: GuardParams = field(default_factory=GuardParams)
    seal: SealParams = field(default_factory=SealParams)
    openlineage: OpenLineageParams = field(default_factory=OpenLineageParams)

    @property
    def releases(self) -> Path:
        """The folder of releases."""
        return self.root / self.release.path

    @property
    def release_folder(self) -> Path:
        """The folder of this run's release."""
        return self.releases / self.release.name

    def canonical(self, *sections: str) -> bytes:
        """Return the canonical JSON (UTF-8) of the named sections, or of all sections.

        It names no places: `work`, `register`, `release.path`, `seal`, `openlineage`, `root` and
        `tokens.tokenizer` are left out.  Of inputs it has collection, format and fields; the digests
        of the input files replace their patterns.

        Raises:
          ValueError: for an unknown section.
        """
        unknown = set(sections) - set(SECTIONS)
        if unknown:
            raise ValueError(f"the parameters have no section {', '.join(sorted(unknown))}")
        content = {name: self._section(name) for name in sections or SECTIONS}
        return canonical_json(content).encode()

    def digest(self, *sections: str) -> str:
        """Return the SHA-256 (64 hex digits) of `canonical`."""
        return hashlib.sha256(self.canonical(*sections)).hexdigest()

    def _section(self, name: str) -> Any:
        """Return a section as a JSON value for digests."""
        if name == "inputs":
            return sorted_unique(
                {"collection": i.collection, "format": i.format, "fields": dict(i.fields)}
                for i in self.inputs
            )
        if name == "licences":
            return {"allow": sorted(set(self.licences_allow))}
        value = getattr(self, name)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, tuple):
            return sorted(set(value))
        if isinstance(value, str):
            return value
        if isinstance(value, QualityParams):
            return asdict(value)
        if isinstance(value, PrivacyParams):
            return value.canonical()
        section = {f.name: getattr(value, f.name) for f in fields(value)}
        for place in ("path", "against", "tokenizer", "index"):
            section.pop(place, None)
        for kind in ("lines", "spans"):
            if isinstance(nested := section.get(kind), LineParams | SpanParams):
                section[kind] = asdict(nested)
        if sets := section.pop("decontaminate", None):
            section["decontaminate"] = sorted_unique(
                {"name": s.name, "field": s.field, "words": s.words} for s in sets
            )
        if mixture := section.pop("mixture", None):
            section["mixture"] = mixture.canonical()
        ordered = {"sources"}  # of `dedup`: their order has a meaning
        return {
            k: sorted(set(v)) if isinstance(v, tuple) and k not in ordered else v
            for k, v in section.items()
        }


@cache
def default_robots_agents() -> tuple[str, ...]:
    """Return the robots.txt product tokens of `schemas/robots_agents.txt`; `*` is one of them."""
    lines = (Path(__file__).parent / "robots_agents.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def meaning_problems(source: YamlSource) -> list[Problem]:
    """Return all problems of the parameters, except those of files that they name."""
    problems = check(source, "params.schema.json")
    if isinstance(source.value, dict):
        problems += (
            _dates(source) + _licences(source) + _repeated_paths(source) + _extractor(source)
        )
    return problems


def mixture_of(path: Path, source: YamlSource) -> tuple[str, Path] | None:
    """Return the mixture file that `release.mixture` names.

    Args:
      path: the file of the parameters.
      source: its content; it may have problems.

    Returns:
      The value as it is written, and the absolute path; None: no mixture is named.
    """
    section = source.value.get("release") if isinstance(source.value, dict) else None
    named = section.get("mixture") if isinstance(section, dict) else None
    if not isinstance(named, str) or not named.strip():
        return None
    return named, _resolved(Path(os.path.abspath(path)).parent, named)


def _dates(source: YamlSource) -> list[Problem]:
    if ("as_of",) not in source.plain_dates:
        return []
    day = source.value["as_of"]
    message = f'quote it: as_of: "{day}" (DVC cannot track a YAML date)'
    return [source.problem(("as_of",), message, day)]


def _licences(source: YamlSource) -> list[Problem]:
    section = source.value.get("licences")
    allow = section.get("allow") if isinstance(section, dict) else None
    out = []
    for i, licence in enumerate(allow if isinstance(allow, list) else ()):
        here = ("licences", "allow", i)
        if not isinstance(licence, str) or not licence.strip():
            continue
        try:
            normalise(licence)
            if not is_single(licence):
                message = "one licence per item, without AND and OR"
                out.append(source.problem(here, message, licence))
        except ValueError as error:
            message = f"must be an SPDX licence or a LicenseRef-… of the register: {error}"
            out.append(source.problem(here, message, licence))
    return out


def _extractor(source: YamlSource) -> list[Problem]:
    """Report a missing optional dependency, Trafilatura, before the run starts."""
    section = source.value.get("ingest")
    chosen = section.get("extractor") if isinstance(section, dict) else None
    if chosen != "trafilatura" or find_spec("trafilatura"):
        return []
    message = "is not installed: pip install 'tamga[extraction]', or choose resiliparse"
    return [source.problem(("ingest", "extractor"), message, chosen)]


def _repeated_paths(source: YamlSource) -> list[Problem]:
    """Report a pattern in two inputs: each of its records would be read twice."""
    out: list[Problem] = []
    first: dict[str, int] = {}
    inputs = source.value.get("inputs")
    for i, entry in enumerate(inputs if isinstance(inputs, list) else ()):
        paths = entry.get("paths") if isinstance(entry, dict) else None
        for j, pattern in enumerate(paths if isinstance(paths, list) else ()):
            if isinstance(pattern, str) and first.setdefault(pattern, i) != i:
                message = (
                    f"already read by inputs[{first[pattern]}]: a file can belong to one input only"
                )
                out.append(source.problem(("inputs", i, "paths", j), message, pattern))
    return out


def build(path: Path, value: dict[str, Any], mixture: Mixture | None) -> Params:
    """Build parameters from content without problems.

    Args:
      path: their file; paths in it are relative to its folder.
      value: the file's content.
      mixture: the content of the file that `release.mixture` names.
    """
    path = Path(os.path.abspath(path))
    root = path.parent
    inputs = tuple(
        Input(i["collection"], i["format"], tuple(i["paths"]), i.get("fields") or {})
        for i in value["inputs"]
    )
    return Params(
        path=path,
        root=root,
        as_of=date.fromisoformat(value["as_of"]),
        purpose=value["purpose"],
        storage_country=value["storage_country"],
        register=_resolved(root, value["register"]),
        inputs=inputs,
        licences_allow=tuple(normalise(x) for x in value["licences"]["allow"]),
        work=_resolved(root, value["work"]),
        release=_section(ReleaseParams, {**value["release"], "mixture": mixture}),
        signals=value.get("signals", "fetch"),
        robots_agents=tuple(sorted(value.get("robots_agents") or default_robots_agents())),
        policy=_policy(root, value.get("policy") or {}),
        ingest=_section(IngestParams, value.get("ingest")),
        language=_section(LanguageParams, value.get("language")),
        quality=_quality(value.get("quality") or {}),
        dedup=_dedup(root, value.get("dedup")),
        privacy=_privacy(root, value.get("privacy") or {}),
        tokens=_tokens(root, value.get("tokens") or {}),
        guard=_section(GuardParams, value.get("guard")),
        seal=_seal(root, value.get("seal") or {}),
        openlineage=_openlineage(root, value.get("openlineage") or {}),
    )


def _seal(root: Path, value: Mapping[str, Any]) -> SealParams:
    keys = {k: _resolved(root, value[k]) for k in ("signing_key", "public_key") if k in value}
    return SealParams(**{**value, **keys})


def _openlineage(root: Path, value: Mapping[str, Any]) -> OpenLineageParams:
    file = value.get("file")
    return OpenLineageParams(_resolved(root, file) if file else None, value.get("url"))


def _policy(root: Path, value: Mapping[str, Any]) -> PolicyParams:
    folder = value.get("path")
    return PolicyParams(
        _resolved(root, folder) if folder else None,
        value.get("enforce", PolicyParams.enforce),
        value.get("duplicates", PolicyParams.duplicates),
    )


def _tokens(root: Path, value: Mapping[str, Any]) -> TokensParams:
    path = value.get("tokenizer")
    section = _section(TokensParams, {**value, "tokenizer": None})
    return replace(section, tokenizer=_resolved(root, path) if path else None)


def _privacy(root: Path, value: Mapping[str, Any]) -> PrivacyParams:
    key = value.get("key")
    return build_privacy(value, _resolved(root, key) if key else None)


def _resolved(root: Path, path: str) -> Path:
    return Path(os.path.abspath(root / Path(path).expanduser()))


def _quality(value: Mapping[str, Any]) -> QualityParams:
    domains = value.get("domains") or {}
    return QualityParams(
        mode=value.get("mode", "drop"),
        thresholds=value.get("thresholds"),
        classifier=_classifier(value.get("classifier"), label="curated", floor=None),
        domains=DomainParams(
            sources=dict(sorted((domains.get("sources") or {}).items())),
            urls=tuple((url["pattern"], url["domain"]) for url in domains.get("urls") or ()),
            classifier=_classifier(domains.get("classifier"), label=None, floor=0.5),
        ),
    )


def _classifier(
    value: Mapping[str, Any] | None, label: str | None, floor: float | None
) -> ClassifierParams | None:
    if not value:
        return None
    given = value.get("floor")
    return ClassifierParams(
        value["model"], value.get("label", label), floor if given is None else float(given)
    )


def _section(kind: type[S], value: Mapping[str, Any] | None) -> S:
    """Build a section's dataclass.  `1` and `1.0` are the same number, as in JSON Schema."""
    types = {f.name: str(f.type) for f in fields(kind)}  # type: ignore[arg-type]
    return kind(**{k: _typed(types[k], v) for k, v in (value or {}).items()})


def _dedup(root: Path, value: Mapping[str, Any] | None) -> DedupParams:
    """Build the section.  `figures` may be one word for all kinds of source; a kind that it does not
    name keeps its default."""
    defaults, section = DedupParams().figures, dict(value or {})
    given = section.get("figures", {})
    named = dict.fromkeys(defaults, given) if isinstance(given, str) else given
    section["decontaminate"] = [
        EvaluationSet(**{**entry, "path": str(_resolved(root, entry["path"]))})
        for entry in section.get("decontaminate") or ()
    ]
    for name, kind in (("lines", LineParams), ("spans", SpanParams)):
        if (nested := section.get(name)) is not None:
            section[name] = _section(kind, nested)
    if section.get("index"):
        section["index"] = str(_resolved(root, section["index"]))
    return _section(DedupParams, {**section, "figures": {**defaults, **named}})


_NUMBERS: Final = "Mapping[str, float]"


def _typed(kind: str, value: Any) -> Any:
    """Return a value as the type that a field of a dataclass is annotated with."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {k: float(v) for k, v in value.items()} if kind == _NUMBERS else dict(value)
    if value is None:
        return None
    plain = kind.removesuffix(" | None")
    return {"float": float, "int": int}.get(plain, lambda same: same)(value)
