"""Labels of models, as this project writes them."""

from __future__ import annotations

import pytest

from pipelines.language.labels import LabelsError, mapping_of, normalise, possible


@pytest.mark.parametrize(
    ("label", "language", "script"),
    [
        ("__label__ru", "ru", None),
        ("__label__uzn_Cyrl", "uz", "Cyrl"),
        ("azj_Latn", "az", "Latn"),
        ("__label__sah_Cyrl", "sah", "Cyrl"),
        ("kmr-Latn", "ku", "Latn"),
        ("zh-Hant", "zh", "Hant"),
        ("iw", "he", None),
        ("sr-ME", "sr", None),
        ("als", "gsw", None),  # what Wikipedia and lid.176 call so
        ("als_Latn", "sq", "Latn"),  # Tosk, of ISO 639-3
        ("un", None, None),
        ("zxx", None, None),
        ("xx-Cyrl", None, "Cyrl"),
        ("", None, None),
        ("__label__42", None, None),
    ],
)
def test_labels(label, language, script):
    assert normalise(label) == (language, script)


def test_a_mapping_goes_first(tmp_path):
    mapping = {"__label__surzhyk": "uk", "b": "kk-Latn"}
    assert normalise("__label__surzhyk", mapping) == ("uk", None)
    assert normalise("__label__b", mapping) == ("kk", "Latn")
    (tmp_path / "labels.json").write_text('{"x": "ru"}')
    assert mapping_of("labels.json", tmp_path) == {"x": "ru"}
    assert mapping_of(mapping, tmp_path) == mapping and mapping_of(None, tmp_path) == {}


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "\xff", None])
def test_files_that_are_none(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.json").write_text(content, "latin-1")
    with pytest.raises(LabelsError, match=r"language\.labels: .*labels\.json"):
        mapping_of("labels.json", tmp_path)


def test_scripts_that_a_language_can_have():
    assert possible("Cyrl", "ru") and not possible("Latn", "ru") and not possible("Cyrl", "en")
    assert possible("Latn", "uz") and possible("Cyrl", "uz") and possible("Latn", "de")
    assert possible("Zyyy", "ja") and not possible("Latn", "th")
