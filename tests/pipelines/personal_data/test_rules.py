"""The rules: each has a source and the measured share of random strings that pass, and needs linear
time.  Two ways to find numbers agree, and Presidio loads the registry."""

from __future__ import annotations

import random
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.personal_data import fragments, judges
from pipelines.personal_data.finder import Finder
from pipelines.personal_data.identifier_rule import LONGEST_ADDRESS, LONGEST_BACKED, Rule
from pipelines.personal_data.nearby_words import Words, compile_stems, literal_prefix, nearness
from pipelines.personal_data.numbers import find_numbers
from pipelines.personal_data.pattern_views import BatchView, View, fold, view
from pipelines.personal_data.rules import load_rules, measure_pass_share

RULES = load_rules()
FINDER = Finder()
FIFTEEN = {"RU", "UA", "BY", "KZ", "KG", "UZ", "TJ", "TM", "AM", "AZ", "GE", "MD", "EE", "LV", "LT"}
BAITS = (
    "1", "1 ", "11 ", "12-", "12 | ", "1.", "A1", "AB12 ", "+7 915 ", "(1", "a@", "a.", "x.", "1:",
    "ул. А ", "Ab ", "t.me/", "vk.com/", "1 мая ", "KZ12 ", "2202 ", "инн 1234567890 ",
    "044525225 40817810 ", "Ab көшесі ", "@a", "\0", "р. 1 ",
)  # fmt: skip


def test_all_countries_have_rules_with_sources() -> None:
    assert {r.country for r in RULES} - {None} == FIFTEEN
    assert len({r.name for r in RULES}) == len(RULES)
    assert all(r.source for r in RULES)
    # a rule without check digits and a shape of its own needs a word
    assert all(r.stems for r in RULES if not r.alone)


@pytest.mark.parametrize("rule", [r for r in RULES if r.sample_form], ids=lambda r: r.name)
def test_the_share_of_random_strings_that_pass(rule: Rule) -> None:
    draws = 4000
    assert rule.pass_share is not None
    spread = 4 * (rule.pass_share * (1 - rule.pass_share) / draws) ** 0.5
    assert abs(measure_pass_share(rule, draws) - rule.pass_share) <= spread + 0.15 * rule.pass_share


def time_rule(rule: Rule, bait: str, size: int) -> float:
    views = view((bait * (size // len(bait) + 1))[:size])
    started = time.process_time()
    for _ in rule.find(views):
        pass
    return time.process_time() - started


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_time_is_linear_in_the_text(rule: Rule) -> None:
    """The slowest bait of each rule, eight times longer, takes about eight times longer at most."""
    cost, bait = max((time_rule(rule, bait, 4_000), bait) for bait in BAITS)
    assert cost < 0.25
    small = max(time_rule(rule, bait, 2**13), 0.002)
    assert time_rule(rule, bait, 2**16) < 8 * small * 4


@pytest.mark.parametrize("bait", BAITS)
def test_the_finder_is_linear_on_a_megabyte_of_bait(bait: str) -> None:
    """All rules together, in the batch finder: the time per kilobyte does not grow with the text."""
    spent = []
    for size in (2**16, 2**20):
        text = (bait * (size // len(bait) + 1))[:size]
        started = time.process_time()
        list(FINDER.find([text]))
        spent.append(time.process_time() - started)
    assert spent[1] < 16 * max(spent[0], 0.02) * 4


NUMBER_TEXTS = st.text("0123456789 .,-|\nA", max_size=80)


@given(NUMBER_TEXTS, st.integers(2, 20))
def test_numbers_equal_those_of_the_pattern(text: str, n: int) -> None:
    """One pass for all lengths and a pattern per length find the same numbers."""
    pattern, at, expected = re.compile(fragments.digits_pattern(n)), 0, []
    while match := pattern.search(text, at):
        expected.append(match.span())
        at = match.start() + 1
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    columns = [column.tolist() for column in find_numbers(codes)]
    assert [(a, b) for digits, a, b in zip(*columns, strict=True) if digits == n] == expected


@given(st.lists(st.text(max_size=30), max_size=6))
def test_views_keep_the_length_and_equal_those_of_a_batch(texts: list[str]) -> None:
    batch = BatchView(texts)
    for i, text in enumerate(texts):
        alone = view(text)
        assert len(alone.plain) == len(alone.folded) == len(text)
        assert (batch.plain(i), batch.folded(i)) == (alone.plain, alone.folded)


def test_views_unify_ways_to_write() -> None:
    assert view("ＩＮＮ\u00a0１２٣\u20134").plain == "INN 123-4"
    assert view("ИНН").folded == fold("иHH")


@pytest.mark.parametrize(
    ("stem", "text", "matches"),
    [
        ("инн$", "ИНН 1", True),
        ("инн$", "инна 1", False),
        ("инн$", "старинн 1", False),
        ("личн* ном*", "личного номера 1", True),
        ("паспорт*", "паспортом 1", True),
    ],
)
def test_a_stem_matches_at_the_beginning_of_a_word(stem: str, text: str, matches: bool) -> None:
    folded = fold(text)
    assert (nearness(folded, len(text) - 1, len(text), Words(compile_stems([stem]))) > 0) == matches
    assert not matches or literal_prefix(stem) in folded


def test_known_word_positions_do_not_change_findings() -> None:
    rng = random.Random(5)
    words = [w.strip("*$~") for r in RULES for w in r.stems]
    for _ in range(60):
        text = " ".join(
            rng.choice(words) if rng.random() < 0.5 else "".join(rng.choices("0123456789", k=10))
            for _ in range(20)
        )
        searched = view(text)
        where: dict[str, tuple[list[int], list[int]]] = {r.name: ([], []) for r in RULES}
        for rule in RULES:
            for word, _, shared in rule.literals:
                beginning = re.compile(rf"(?<!\w){re.escape(word)}")
                where[rule.name][shared].extend(
                    m.start() for m in beginning.finditer(searched.folded)
                )
            for positions in where[rule.name]:
                positions.sort()
        with_positions = View(searched.plain, searched.folded, where)
        for rule in RULES:
            assert list(rule.find(searched)) == list(rule.find(with_positions))


def test_no_match_is_longer_than_its_window() -> None:
    from re import _parser  # type: ignore[attr-defined]

    for rule in RULES:
        if rule.needs_word:
            longest = _parser.parse(rule.regex).getwidth()[1]
            assert longest <= (
                LONGEST_ADDRESS if rule.judge is judges.street else LONGEST_BACKED
            ), rule.name


def test_presidio_loads_the_registry_and_the_package() -> None:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    from pipelines.personal_data import recognizers
    from pipelines.personal_data.recognisers import LANGUAGES, REGISTRY

    registry = RecognizerRegistryProvider(conf_file=REGISTRY).create_recognizer_registry()
    engine = AnalyzerEngine(
        registry,
        NoOpNlpEngine([{"lang_code": tag, "model_name": "none"} for tag in LANGUAGES]),
        supported_languages=list(LANGUAGES),
    )
    (result,) = engine.analyze("ЖСН 900101300017", language="kk", entities=["KZ_IIN"])
    assert (result.start, result.end) == (4, 16)
    assert set(engine.get_supported_entities("kk")) == {r.entity for r in RULES}
    few = {r.supported_entities[0] for r in recognizers("ru", countries=["KZ"])}
    assert "KZ_IIN" in few and "EMAIL_ADDRESS" in few and "RU_INN" not in few
    with pytest.raises(ValueError, match="NOPE"):
        type(recognizers()[0])("NOPE")
