from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.yaml_source import MAX_BYTES, key_path, parse, parse_bytes


def test_values_are_read_as_yaml_1_2() -> None:
    source, problems = parse(
        'a: no\nb: true\nc: 010\nd: 1e3\ne: 2026-01-02\nf: "2026-01-02"\ng:\nh: "1"\ni: .inf\n', "f"
    )
    assert not problems and source is not None
    assert source.value == {
        "a": "no",
        "b": True,
        "c": 10,
        "d": 1000.0,
        "e": "2026-01-02",
        "f": "2026-01-02",
        "g": None,
        "h": "1",
        "i": ".inf",
    }
    assert source.plain_dates == {("e",)}


def test_lines_of_keys_items_and_what_is_missing() -> None:
    source, _ = parse("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n", "f")
    assert source is not None
    assert source.line(("b",)) == 2
    assert source.line(("b", 1, "d")) == 5
    assert source.line(("b", 1, "missing")) == 4
    assert key_path(("b", 1, "d")) == "b[1].d"


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a", "given twice: first on line 1"),
        ("x:\n  a: 1\n  a: {b: 1}\n", 3, "x.a", "given twice"),
        ("a: 1\nb: 'open\n", 3, "", "YAML syntax"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "", "YAML syntax"),
        ("a: 1\n\tb: 2\n", 2, "", "YAML syntax"),
        ("a: 1\nb: \x01\n", 2, "", "control character"),
        ("a: &x 1\nb: *x\n", 2, "b", "aliases"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "b", "tags"),
        ("a: 1\n---\nb: 2\n", 2, "", "one YAML document"),
        ("? [a]\n: 1\n", 1, "", "a key must be plain text"),
        ('a: 1\nb: "\\0"\n', 2, "b", "NUL"),
    ],
)
def test_problems_have_their_line(text: str, line: int, key: str, message: str) -> None:
    _, problems = parse(text, "f.yaml")
    assert [(p.file, p.line, p.key) for p in problems] == [("f.yaml", line, key)]
    assert message in problems[0].message


def test_deep_nesting_and_many_aliases_end_at_once() -> None:
    assert "nested deeper" in parse("[" * 5000, "f")[1][0].message
    bomb = "a: &a [x]\n" + "".join(
        f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefghijkl", "bcdefghijklm", strict=True)
    )
    assert len(parse(bomb, "f")[1]) == 24


def test_bytes_that_are_not_a_text() -> None:
    assert "not UTF-8" in parse_bytes("a: 1\nb: қазақ\n".encode("utf-16"), "f")[1][0].message
    assert parse_bytes(b"a: 1\nb: \xcf\xf0\n", "f")[1][0].line == 2
    assert "larger than 32 MiB" in parse_bytes(b"#" * (MAX_BYTES + 1), "f")[1][0].message
    source, problems = parse_bytes(b"\xef\xbb\xbfa: 1\n", "f")
    assert source is not None and source.value == {"a": 1} and not problems


@given(st.text())
def test_any_text_gives_a_value_or_problems(text: str) -> None:
    source, problems = parse(text, "f")
    assert source is not None or problems
