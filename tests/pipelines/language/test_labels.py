"""Labels of models as codes of the project."""

from __future__ import annotations

import pytest

from pipelines.language.labels import LabelsError, is_possible, load_mapping, normalise


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
        ("als", "gsw", None),  # Wikipedia and lid.176 use it for Alemannic
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


def test_a_mapping_overrides_the_codes(tmp_path):
    mapping = {"__label__surzhyk": "uk", "b": "kk-Latn"}
    assert normalise("__label__surzhyk", mapping) == ("uk", None)
    assert normalise("__label__b", mapping) == ("kk", "Latn")
    (tmp_path / "labels.json").write_text('{"x": "ru"}')
    assert load_mapping("labels.json", tmp_path) == {"x": "ru"}
    assert load_mapping(mapping, tmp_path) == mapping and load_mapping(None, tmp_path) == {}


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "\xff", None])
def test_files_that_are_not_mappings(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.json").write_text(content, "latin-1")
    with pytest.raises(LabelsError, match=r"language\.labels: .*labels\.json"):
        load_mapping("labels.json", tmp_path)


def test_possible_scripts_of_a_language():
    assert (
        is_possible("Cyrl", "ru")
        and not is_possible("Latn", "ru")
        and not is_possible("Cyrl", "en")
    )
    assert is_possible("Latn", "uz") and is_possible("Cyrl", "uz") and is_possible("Latn", "de")
    assert is_possible("Zyyy", "ja") and not is_possible("Latn", "th")
