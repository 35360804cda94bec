"""Letters held against alphabets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.language.alphabets import SCRIPTS, alphabets, paragraphs

LINE = "Ертең таңертең қалада қатты жаңбыр жауады, ал кешке қарай ауа райы ашылады."


def best(text: str) -> tuple[str, str]:
    found = alphabets().letters(paragraphs([text]))
    script = int(found.script()[0])
    columns = [j for j, s in enumerate(alphabets().scripts) if s == [*SCRIPTS][script]]
    column = columns[int(found.log_p[0, columns].argmax())]
    return alphabets().names[column], alphabets().scripts[column]


def test_letters_tell_neighbours_apart():
    assert best(LINE) == best(LINE.upper()) == ("kk", "Cyrl")
    assert best(LINE.replace("і", "i")) == ("kk", "Cyrl")
    assert best("Хвалæ адæймагæн, йæ зæрдæ кæмæн у райдзаст.") == ("os", "Cyrl")
    assert best("Viņi šodien ļoti ātri aizgāja mājās, jo ārā bija auksts.") == ("lv", "Latn")
    assert best("VIŅI ŠODIEN ĻOTI ĀTRI AIZGĀJA MĀJĀS, JO ĀRĀ BIJA AUKSTS.") == ("lv", "Latn")


def test_shares_are_probabilities():
    known = alphabets()
    for j, script in enumerate(known.scripts):
        own = known.members[:, [*SCRIPTS].index(script)] > 0
        assert 0.97 < np.exp(known.log_p[own, j]).sum() < 1.03
        assert (known.log_p[~own, j] == 0).all()
    assert len(set(zip(known.names, known.scripts, strict=True))) == len(known.names)


def test_serbian_cyrillic_borrows_no_letter():
    assert best("БМТ Баш Ассамблејасынын гәрары") == ("az", "Cyrl")
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
def test_documents_are_the_sums_of_their_paragraphs(texts):
    pieces = paragraphs(texts)
    whole = alphabets().letters(pieces).of_documents(pieces, len(texts))
    for i, text in enumerate(texts):
        alone = paragraphs([text])
        one = alphabets().letters(alone).of_documents(alone, 1)
        assert (one.log_p[0] == whole.log_p[i]).all()
        assert (one.scripts[0] == whole.scripts[i]).all()
        assert one.scripts.sum() == sum(c.isalpha() for c in text)
