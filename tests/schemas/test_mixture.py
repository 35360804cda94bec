from __future__ import annotations

from pathlib import Path

import pytest
from helpers.params_files import LEAST, write_mixture

from lineage.configuration import load_params
from schemas.errors import Invalid
from schemas.mixture import Cap, Mixture, parse_mixture
from schemas.yaml_source import parse_bytes

FULL = """select: {languages: [kk, ru], domains: [law], sources: [kz-news]}
caps:
  - {language: ru, share: 0.4}
  - {source: kz-news, domain: law, chars: 100000}
  - {documents: 7}
order: quality
seed: 3
"""


def test_a_mixture_is_read_with_the_parameters(tmp_path: Path) -> None:
    found = load_params(write_mixture(tmp_path, FULL)).release.mixture
    assert found == Mixture(
        languages=("kk", "ru"),
        domains=("law",),
        sources=("kz-news",),
        caps=(
            Cap("share", 0.4, language="ru"),
            Cap("chars", 100000.0, domain="law", source="kz-news"),
            Cap("documents", 7.0),
        ),
        order="quality",
        seed=3,
    )


def test_the_digest_is_of_what_it_says_not_of_where_it_is(tmp_path: Path) -> None:
    one = load_params(write_mixture(tmp_path, FULL)).digest("release")
    assert load_params(write_mixture(tmp_path, FULL + "# a remark\n")).digest("release") == one
    assert load_params(write_mixture(tmp_path, FULL.replace("0.4", "0.5"))).digest("release") != one
    (tmp_path / "params.yaml").write_text(LEAST)
    assert load_params(tmp_path / "params.yaml").digest("release") != one


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("[kk, ru]", "[kk, ua_UA]", 1, "select.languages[1]", "ISO 639-1"),
        ("[law]", "[]", 1, "select.domains", "at least one domain"),
        ("domains: [law]", "domain: law", 1, "select.domain", "did you mean `domains`"),
        ("[kz-news]", "[KZ]", 1, "select.sources[0]", "id of a source"),
        ("share: 0.4", "share: 1.4", 3, "caps[0].share", "between 0 and 1"),
        ("share: 0.4", "share: 0.4, chars: 9", 3, "caps[0]", "exactly one limit"),
        ("language: ru, share: 0.4", "share: 0.4", 3, "caps[0]", "a filter"),
        ("chars: 100000", "chars: 1.5", 4, "caps[1].chars", "a number of characters"),
        ("chars: 100000", "", 4, "caps[1]", "exactly one limit"),
        ("documents: 7", "documents: 0", 5, "caps[2].documents", "at least 1"),
        ("order: quality", "order: size", 6, "order", "one of: quality, hash"),
        ("seed: 3", "seeds: 3", 7, "seeds", "did you mean `seed`"),
        ("seed: 3", "seed: 3\nselect: {}", 8, "select", "given twice"),
    ],
)
def test_each_error_names_the_mixture_s_line(
    tmp_path: Path, old: str, new: str, line: int, key: str, message: str
) -> None:
    assert old in FULL
    with pytest.raises(Invalid) as caught:
        load_params(write_mixture(tmp_path, FULL.replace(old, new)))
    found = [p for p in caught.value.problems if p.key == key]
    assert [p.line for p in found] == [line], caught.value.problems
    assert message in found[0].message and found[0].file.endswith("mixture.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "select\n", "\t: 1\n", "select: *x\n"])
def test_what_is_no_mixture(text: str) -> None:
    found, problems = parse_mixture(parse_bytes(text.encode(), "m.yaml"))
    assert found is None and problems
