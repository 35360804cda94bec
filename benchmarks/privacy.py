"""Recall, precision and speed of the scrubber, beside Presidio in the same process.

    python benchmarks/privacy.py [--sentences DIR] [--phones FILE] [--documents 5000] [--json]

On the labelled set of `privacy_set.py`: recall and precision by class, of ours and of a plain
Presidio engine with the recognisers it loads by itself.  Precision counts what was found in
decoys, and in sentences of other classes.  With `--phones` (libphonenumber's
PhoneNumberMetadata.xml): the share of the 15 countries' example numbers found inside sentences.
With `--sentences` (a UTF-8 file per language, a sentence a line): documents a second on news and
on notices, by processor time, beside Presidio with our recognisers on the whole text; findings
of both are held against each other.  Exit 1 where a figure falls short.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import phonenumbers

from pipelines.personal_data.finder import Finder
from pipelines.personal_data.findings import Span, resolve
from pipelines.personal_data.phones import COUNTRIES

sys.path.insert(0, str(Path(__file__).parent))
from privacy_set import SENTENCES, Case, cases

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
LEAST = 0.98
PHONES = 0.95
SPEEDS = {"news": 2000, "notices": 500}
TIMES = 3.0
BLOCK = 250
_Found = list[list[Span]]


def ours(finder: Finder, some: list[Case]) -> _Found:
    """Findings of each case."""
    found: _Found = [[] for _ in some]
    for i, spans in finder.find([c.text for c in some]):
        found[i] = resolve(spans, some[i].lang, some[i].jurisdiction)
    return found


def plain_presidio(some: list[Case]) -> _Found:
    """Findings of each case by the recognisers that Presidio loads by itself, no model."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    engine = AnalyzerEngine(
        registry,
        NoOpNlpEngine([{"lang_code": "en", "model_name": "none"}]),
        supported_languages=["en"],
    )
    wanted = engine.get_supported_entities("en")
    return [
        [Span(r.start, r.end, r.entity_type, r.score, "") for r in found if r.score >= 0.4]
        for found in (engine.analyze(c.text, "en", entities=wanted) for c in some)
    ]


def measure(some: list[Case], found: _Found) -> dict[str, dict[str, float]]:
    """Class to recall, precision, planted and false findings; a planted value counts as found
    where a finding of its class covers it."""
    hit, planted, false = Counter[str](), Counter[str](), Counter[str]()
    for case, spans in zip(some, found, strict=True):
        if case.entity:
            planted[case.entity] += 1
        for s in spans:
            overlaps = case.entity and s.start < case.end and case.start < s.end
            if not (s.entity == case.entity and overlaps):
                false[s.entity] += 1
        if _covered(case, spans):
            hit[str(case.entity)] += 1
    return {
        e: {
            "recall": hit[e] / planted[e],
            "precision": hit[e] / max(1, hit[e] + false[e]),
            "planted": planted[e],
            "false": false[e],
        }
        for e in sorted(planted)
    }


def _covered(case: Case, spans: list[Span]) -> bool:
    """Whether findings of its class reach from the value's start to its end (an address is found
    in parts: post code, street; the town between them stays)."""
    own = [s for s in spans if s.entity == case.entity and s.start < case.end]
    return bool(own) and own[0].start <= case.start and own[-1].end >= case.end


def phones(finder: Finder, metadata: Path) -> tuple[float, list[str]]:
    """The share of example numbers found, in both forms in sentences of the country; the rest."""
    homes = {has["home"]: lang for lang, has in reversed(SENTENCES.items())}
    some, names = [], []
    for territory in ElementTree.parse(metadata).iter("territory"):
        if (home := territory.get("id", "")) not in COUNTRIES:
            continue
        lang = homes[home]
        for kind in territory:
            if (
                example := kind.findtext("exampleNumber")
            ) is None or kind.tag == "noInternationalDialling":
                continue
            number = phonenumbers.parse(example, home)
            for form in (
                phonenumbers.PhoneNumberFormat.INTERNATIONAL,
                phonenumbers.PhoneNumberFormat.NATIONAL,
            ):
                value = phonenumbers.format_number(number, form)
                for frame in SENTENCES[lang]["frames"]:
                    text = frame.format(l=SENTENCES[lang]["labels"]["PHONE_NUMBER"], v=value)
                    start = text.index(value)
                    some.append(Case(text, lang, home, "PHONE_NUMBER", start, start + len(value)))
                    names.append(f"{home} {kind.tag} {value}")
    found = ours(finder, some)
    missed = [
        name
        for name, case, spans in zip(names, some, found, strict=True)
        if not any(s.start <= case.start and s.end >= case.end for s in spans)
    ]
    return 1 - len(missed) / len(some), sorted(set(missed))


def texts(sentences: Path, lang: str, count: int) -> list[str]:
    """`count` texts of 2,000 characters of news."""
    whole = " ".join((sentences / f"{lang}.txt").read_text("utf-8").split("\n"))
    step = max(1, (len(whole) - 2000) // count)
    return [whole[i : i + 2000] for i in range(0, len(whole) - 2000, step)][:count]


def notices(news: list[str], some: list[Case]) -> list[str]:
    """Half of each text replaced by Russian sentences of the labelled set, planted and decoys."""
    size, some = 18, [case for case in some if case.lang == "ru"]
    return [
        (" ".join(c.text for c in (some * 2)[i * 7 % len(some) :][:size]) + " " + text)[:2000]
        for i, text in enumerate(news)
    ]


def speed(finder: Finder, some: list[str]) -> dict[str, float]:
    """Documents a second, ours and Presidio's with our recognisers, and how many differ.

    They take turns, a block each, so that what else the machine does slows both alike.
    """
    from pipelines.personal_data.recognisers import ANY, analyzer

    engine = analyzer((ANY,), threshold=0.0)
    entities = list(finder.entities)
    gc.freeze()  # the sets and results so far are not ours to walk through
    finder_seconds = seconds = 0.0
    found: dict[int, list[Span]] = {}
    theirs: list[Any] = []
    for at in range(0, len(some), BLOCK):
        block = some[at : at + BLOCK]
        spent, spans = _timed(lambda texts: list(finder.find(texts)), block)
        finder_seconds += spent
        found |= {at + i: s for i, s in spans}
        spent, results = _timed(
            lambda texts: [engine.analyze(t, ANY, entities=entities) for t in texts], block
        )
        seconds += spent
        theirs += results
    differ = sum(
        _plain(found.get(i, ()))
        != _plain(
            Span(r.start, r.end, r.entity_type, r.score, r.recognition_metadata["recognizer_name"])
            for r in results
        )
        for i, results in enumerate(theirs)
    )
    return {
        "documents": len(some),
        "findings": sum(len(resolve(s, None, None)) for s in found.values()),
        "ours": len(some) / finder_seconds,
        "presidio": len(some) / seconds,
        "times": seconds / finder_seconds,
        "differ": differ,
    }


def _timed(work: Callable[[list[str]], Any], texts: list[str]) -> tuple[float, Any]:
    started = time.process_time()
    result = work(texts)
    return time.process_time() - started, result


def _plain(spans: Iterable[Span]) -> list[tuple[int, int, str, float]]:
    return [(s.start, s.end, s.entity, s.score) for s in resolve(spans, None, None)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=Path, default=SHARED / "sentences")
    parser.add_argument(
        "--phones", type=Path, default=SHARED / "phone-examples/resources/PhoneNumberMetadata.xml"
    )
    parser.add_argument("--each", type=int, default=4, help="values of each class and sentence")
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    finder, some = Finder(), cases(options.each, options.seed)
    told: dict[str, Any] = {"set": len(some), "classes": measure(some, ours(finder, some))}
    short = [
        f"{e}: {k} {v[k]:.3f}"
        for e, v in told["classes"].items()
        for k in ("recall", "precision")
        if v[k] < LEAST
    ]
    told["presidio"] = measure(some, plain_presidio(some))
    if options.phones.exists():
        told["phones"], told["phones_missed"] = phones(finder, options.phones)
        if told["phones"] < PHONES:
            short.append(f"phones {told['phones']:.3f}")
    if options.sentences.is_dir() and options.documents:
        news = texts(options.sentences, "ru", options.documents // 2)
        told["speed"] = {"news": speed(finder, news), "notices": speed(finder, notices(news, some))}
        for name, figures in told["speed"].items():
            if figures["ours"] < SPEEDS[name] or figures["times"] < TIMES or figures["differ"]:
                short.append(f"speed on {name}")
    told["short"] = short
    print(json.dumps(told, ensure_ascii=False, indent=1) if options.json else _table(told))
    return 1 if short else 0


def _table(told: dict[str, Any]) -> str:
    lines = [
        f"{told['set']} sentences",
        "class\tplanted\trecall\tprecision\tPresidio's recall, precision",
    ]
    for e, v in told["classes"].items():
        p = told["presidio"][e]
        other = f"{p['recall']:.3f}\t{p['precision']:.3f}" if p["recall"] else "-"
        lines.append(f"{e}\t{v['planted']}\t{v['recall']:.3f}\t{v['precision']:.3f}\t{other}")
    if "phones" in told:
        lines += [f"example phones found: {told['phones']:.3f}", *told["phones_missed"][:20]]
    for name, s in told.get("speed", {}).items():
        lines.append(
            f"{name}: {s['documents']} documents, {s['findings']} findings; {s['ours']:.0f} a second, "
            f"Presidio {s['presidio']:.0f} ({s['times']:.1f} times); {s['differ']} differ"
        )
    return "\n".join([*lines, f"falls short: {'; '.join(told['short']) or 'nothing'}"])


if __name__ == "__main__":
    sys.exit(main())
