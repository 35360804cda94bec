"""Measure recall, precision and speed of the scrubber, and compare them with Presidio.

    python benchmarks/privacy.py [--sentences DIR] [--phones FILE] [--documents 5000] [--json]

On the labelled set of `privacy_set.py`: recall and precision by class, of our finder and of a
Presidio engine with its default recognisers.  Precision counts findings in decoys and in sentences
of other classes.

With `--phones` (libphonenumber's PhoneNumberMetadata.xml): the share of the 15 countries' example
numbers that is found inside sentences.

With `--sentences` (a UTF-8 file per language, a sentence per line): documents per second of
processor time, on news and on notices.  The peer is Presidio with our recognisers on the complete
text.  The findings of both are compared.

Exit 1 if a figure misses its target.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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
_Findings = list[list[Span]]


def find_ours(finder: Finder, labelled: list[Case]) -> _Findings:
    """Return our findings in each case."""
    findings: _Findings = [[] for _ in labelled]
    for i, spans in finder.find([case.text for case in labelled]):
        findings[i] = resolve(spans, labelled[i].lang, labelled[i].jurisdiction)
    return findings


def find_by_presidio(labelled: list[Case]) -> _Findings:
    """Return the findings of Presidio's default recognisers in each case, without a model."""
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
        [Span(r.start, r.end, r.entity_type, r.score, "") for r in results if r.score >= 0.4]
        for results in (engine.analyze(case.text, "en", entities=wanted) for case in labelled)
    ]


def measure(labelled: list[Case], findings: _Findings) -> dict[str, dict[str, float]]:
    """Return class -> recall, precision, number of planted values, number of false findings.

    A planted value counts as found if findings of its class cover it.
    """
    hit, planted, false = Counter[str](), Counter[str](), Counter[str]()
    for case, spans in zip(labelled, findings, strict=True):
        if case.entity:
            planted[case.entity] += 1
        for span in spans:
            overlaps = case.entity and span.start < case.end and case.start < span.end
            if not (span.entity == case.entity and overlaps):
                false[span.entity] += 1
        if _covered(case, spans):
            hit[str(case.entity)] += 1
    return {
        entity: {
            "recall": hit[entity] / planted[entity],
            "precision": hit[entity] / max(1, hit[entity] + false[entity]),
            "planted": planted[entity],
            "false": false[entity],
        }
        for entity in sorted(planted)
    }


def _covered(case: Case, spans: list[Span]) -> bool:
    """Whether findings of its class reach from the value's start to its end.

    An address has several findings: post code and street.  The town between them is not found.
    """
    own = [s for s in spans if s.entity == case.entity and s.start < case.end]
    return bool(own) and own[0].start <= case.start and own[-1].end >= case.end


def measure_phones(finder: Finder, metadata: Path) -> tuple[float, list[str]]:
    """Measure the share of example numbers that is found in sentences of their country.

    Each number is tried in the national and in the international form.

    Returns:
      The share, and the numbers that were missed.
    """
    labelled, names = [], []
    for name, case in _phone_cases(metadata):
        labelled.append(case)
        names.append(name)
    findings = find_ours(finder, labelled)
    missed = [
        name
        for name, case, spans in zip(names, labelled, findings, strict=True)
        if not any(s.start <= case.start and s.end >= case.end for s in spans)
    ]
    return 1 - len(missed) / len(labelled), sorted(set(missed))


def _phone_cases(metadata: Path) -> Iterator[tuple[str, Case]]:
    """Yield (description, case) of each example number in each form and sentence."""
    languages = {entry["home"]: lang for lang, entry in reversed(SENTENCES.items())}
    for territory in ElementTree.parse(metadata).iter("territory"):
        if (home := territory.get("id", "")) not in COUNTRIES:
            continue
        lang = languages[home]
        for kind in territory:
            example = kind.findtext("exampleNumber")
            if example is None or kind.tag == "noInternationalDialling":
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
                    case = Case(text, lang, home, "PHONE_NUMBER", start, start + len(value))
                    yield f"{home} {kind.tag} {value}", case


def read_news(sentences: Path, lang: str, count: int) -> list[str]:
    """Return `count` texts of 2,000 characters of news."""
    joined = " ".join((sentences / f"{lang}.txt").read_text("utf-8").split("\n"))
    step = max(1, (len(joined) - 2000) // count)
    return [joined[i : i + 2000] for i in range(0, len(joined) - 2000, step)][:count]


def make_notices(news: list[str], labelled: list[Case]) -> list[str]:
    """Replace half of each text by Russian sentences of the labelled set, planted ones and decoys."""
    size, russian = 18, [case for case in labelled if case.lang == "ru"]
    twice = russian * 2
    return [
        (" ".join(c.text for c in twice[i * 7 % len(russian) :][:size]) + " " + text)[:2000]
        for i, text in enumerate(news)
    ]


def measure_speed(finder: Finder, texts: list[str]) -> dict[str, float]:
    """Measure documents per second, ours and Presidio's, and count documents with other findings.

    Presidio uses our recognisers.  Both take turns, a block each, so that other load on the machine
    slows both equally.
    """
    from pipelines.personal_data.recognisers import ANY, analyzer

    engine = analyzer((ANY,), threshold=0.0)
    entities = list(finder.entities)
    gc.freeze()  # so that the collector does not scan earlier results
    finder_seconds = seconds = 0.0
    ours: dict[int, list[Span]] = {}
    theirs: list[Any] = []
    for at in range(0, len(texts), BLOCK):
        block = texts[at : at + BLOCK]
        spent, spans = _time_work(lambda texts: list(finder.find(texts)), block)
        finder_seconds += spent
        ours |= {at + i: s for i, s in spans}
        spent, results = _time_work(
            lambda texts: [engine.analyze(t, ANY, entities=entities) for t in texts], block
        )
        seconds += spent
        theirs += results
    differ = sum(
        _comparable(ours.get(i, ()))
        != _comparable(
            Span(r.start, r.end, r.entity_type, r.score, r.recognition_metadata["recognizer_name"])
            for r in results
        )
        for i, results in enumerate(theirs)
    )
    return {
        "documents": len(texts),
        "findings": sum(len(resolve(s, None, None)) for s in ours.values()),
        "ours": len(texts) / finder_seconds,
        "presidio": len(texts) / seconds,
        "times": seconds / finder_seconds,
        "differ": differ,
    }


def _time_work(work: Callable[[list[str]], Any], texts: list[str]) -> tuple[float, Any]:
    started = time.process_time()
    result = work(texts)
    return time.process_time() - started, result


def _comparable(spans: Iterable[Span]) -> list[tuple[int, int, str, float]]:
    return [(s.start, s.end, s.entity, s.score) for s in resolve(spans, None, None)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=Path, default=SHARED / "sentences")
    parser.add_argument(
        "--phones", type=Path, default=SHARED / "phone-examples/resources/PhoneNumberMetadata.xml"
    )
    parser.add_argument("--each", type=int, default=4, help="values per class and sentence")
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    finder, labelled = Finder(), cases(options.each, options.seed)
    classes = measure(labelled, find_ours(finder, labelled))
    results: dict[str, Any] = {"set": len(labelled), "classes": classes}
    short = [
        f"{entity}: {key} {figures[key]:.3f}"
        for entity, figures in classes.items()
        for key in ("recall", "precision")
        if figures[key] < LEAST
    ]
    results["presidio"] = measure(labelled, find_by_presidio(labelled))
    if options.phones.exists():
        results["phones"], results["phones_missed"] = measure_phones(finder, options.phones)
        if results["phones"] < PHONES:
            short.append(f"phones {results['phones']:.3f}")
    if options.sentences.is_dir() and options.documents:
        news = read_news(options.sentences, "ru", options.documents // 2)
        notices = make_notices(news, labelled)
        results["speed"] = {
            "news": measure_speed(finder, news),
            "notices": measure_speed(finder, notices),
        }
        for name, figures in results["speed"].items():
            if figures["ours"] < SPEEDS[name] or figures["times"] < TIMES or figures["differ"]:
                short.append(f"speed on {name}")
    results["short"] = short
    print(json.dumps(results, ensure_ascii=False, indent=1) if options.json else _table(results))
    return 1 if short else 0


def _table(results: dict[str, Any]) -> str:
    lines = [
        f"{results['set']} sentences",
        "class\tplanted\trecall\tprecision\tPresidio's recall, precision",
    ]
    for entity, own in results["classes"].items():
        peer = results["presidio"][entity]
        theirs = f"{peer['recall']:.3f}\t{peer['precision']:.3f}" if peer["recall"] else "-"
        figures = f"{own['planted']}\t{own['recall']:.3f}\t{own['precision']:.3f}"
        lines.append(f"{entity}\t{figures}\t{theirs}")
    if "phones" in results:
        lines += [f"example phones found: {results['phones']:.3f}", *results["phones_missed"][:20]]
    for name, speed in results.get("speed", {}).items():
        lines.append(
            f"{name}: {speed['documents']} documents, {speed['findings']} findings; "
            f"{speed['ours']:.0f} per second, Presidio {speed['presidio']:.0f} "
            f"({speed['times']:.1f} times); {speed['differ']} documents differ"
        )
    return "\n".join([*lines, f"targets missed: {'; '.join(results['short']) or 'none'}"])


if __name__ == "__main__":
    sys.exit(main())
