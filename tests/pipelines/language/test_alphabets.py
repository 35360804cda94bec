"""The evidence of letters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.language.alphabets import SCRIPTS, alphabets, paragraphs

LINE = "Ертең таңертең қалада қатты жаңбыр жауады, ал кешке қарай ауа райы ашылады."


def best_alphabet(text: str) -> tuple[str, str]:
    letters = alphabets().letters(paragraphs([text]))
    script = int(letters.main_script()[0])
    columns = [j for j, s in enumerate(alphabets().scripts) if s == [*SCRIPTS][script]]
    column = columns[int(letters.log_p[0, columns].argmax())]
    return alphabets().names[column], alphabets().scripts[column]


def test_letters_distinguish_similar_languages():
    assert best_alphabet(LINE) == best_alphabet(LINE.upper()) == ("kk", "Cyrl")
    assert best_alphabet(LINE.replace("і", "i")) == ("kk", "Cyrl")
    assert best_alphabet("Хвалæ адæймагæн, йæ зæрдæ кæмæн у райдзаст.") == ("os", "Cyrl")
    assert best_alphabet("Viņi šodien ļoti ātri aizgāja mājās, jo ārā bija auksts.") == (
        "lv",
        "Latn",
    )
    assert best_alphabet("VIŅI ŠODIEN ĻOTI ĀTRI AIZGĀJA MĀJĀS, JO ĀRĀ BIJA AUKSTS.") == (
        "lv",
        "Latn",
    )


def test_shares_are_probabilities():
    known = alphabets()
    for j, script in enumerate(known.scripts):
        own = known.members[:, [*SCRIPTS].index(script)] > 0
        assert 0.97 < np.exp(known.log_p[own, j]).sum() < 1.03
        assert (known.log_p[~own, j] == 0).all()
    assert len(set(zip(known.names, known.scripts, strict=True))) == len(known.names)


def test_serbian_cyrillic_borrows_no_letter():
    assert best_alphabet("БМТ Баш Ассамблејасынын гәрары") == ("az", "Cyrl")
    known = alphabets()
    cost = {
        name: known.log_p[known.classes[ord("ы")], j]
        for j, (name, script) in enumerate(zip(known.names, known.scripts, strict=True))
        if script == "Cyrl"
    }
    assert cost["sr"] == cost["mk"] == min(cost.values()) < cost["uk"]


@given(st.lists(st.text(max_size=60), max_size=6))
def test_paragraphs_are_the_lines(texts):
    pieces = paragraphs(texts)
    lines = [(i, line) for i, text in enumerate(texts) for line in text.split("\n")]
    assert pieces.texts(np.arange(len(pieces))) == [line for _, line in lines]
    assert pieces.documents.tolist() == [i for i, _ in lines]


@given(st.lists(st.text("abcабвії\n漢1 ", max_size=40), min_size=1, max_size=6))
def test_a_document_is_the_sum_of_its_paragraphs(texts):
    pieces = paragraphs(texts)
    batch = alphabets().letters(pieces).sum_by_document(pieces, len(texts))
    for i, text in enumerate(texts):
        lines = paragraphs([text])
        alone = alphabets().letters(lines).sum_by_document(lines, 1)
        assert (alone.log_p[0] == batch.log_p[i]).all()
        assert (alone.scripts[0] == batch.scripts[i]).all()
        assert alone.scripts.sum() == sum(c.isalpha() for c in text)
