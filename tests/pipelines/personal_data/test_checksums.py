"""Check digits: published and generated values pass, and values with a wrong digit fail."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban
from stdnum.ee import ik
from stdnum.lt import asmens
from stdnum.ru import inn
from stdnum.ua import rntrc

from pipelines.personal_data import checksums


def digit_strings(n: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=n, max_size=n)


births = st.dates(datetime.date(1950, 1, 1), datetime.date(2020, 12, 31))


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def change_digit(value: str, at: int, by: int) -> str:
    return value[:at] + str((int(value[at]) + by) % 10) + value[at + 1 :]


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checksums.ru_inn, "7707083893"),
        (checksums.ru_inn, "500100732259"),
        (checksums.ru_snils, "11223344595"),
        (checksums.ua_rnokpp, "2530414071"),
        (checksums.ee_isikukood, "36805280109"),
        (checksums.lt_asmens_kodas, "33309240064"),
        (checksums.lv_personas_kods, "16117519997"),
        (checksums.lv_personas_kods, "32867300679"),
        (checksums.card, "4111111111111111"),
        (checksums.card, "378282246310005"),
        (checksums.iban, "KZ86125KZT5004100100"),
        (checksums.iban, "GE29NB0000000101904917"),
        (checksums.iban, "BY13NBRB3600900000002Z00AB00"),
        (checksums.iban, "UA213223130000026007233566001"),
    ],
)
def test_published_values_pass(check, value: str) -> None:
    assert check(value)


@given(digit_strings(10))
def test_inn_of_12_digits_has_two_check_digits(body: str) -> None:
    first = weighted(body, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = weighted(f"{body}{first}", (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    assert checksums.ru_inn(f"{body}{first}{second}")
    assert not checksums.ru_inn(f"{body}{first}{(second + 1) % 10}")


@given(digit_strings(9).filter(lambda d: d > "001001998"), st.integers(0, 8), st.integers(1, 9))
def test_snils_detects_any_wrong_digit_below_100(body: str, at: int, by: int) -> None:
    total = weighted(body, tuple(range(9, 0, -1))) % 101
    value = f"{body}{total % 100:02d}"
    assert checksums.ru_snils(value)
    changed = change_digit(value, at, by)
    # 100 is written as 00: only a change between the two is not detected
    if changed[:9] > "001001998" and total not in (0, 100):
        assert not checksums.ru_snils(changed)


@given(births, st.sampled_from("123456"), digit_strings(4), st.integers(0, 10), st.integers(1, 9))
def test_iin_detects_wrong_digits_and_needs_no_date(
    birth: datetime.date, sex: str, serial: str, at: int, by: int
) -> None:
    body = birth.strftime("%y%m%d") + sex + serial
    check = weighted(body, tuple(range(1, 12))) % 11
    if check == 10:
        check = weighted(body, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    if check == 10:
        assert not any(checksums.kz_iin(f"{body}{k}") for k in range(10))
        return
    assert checksums.kz_iin(f"{body}{check}")
    assert not any(checksums.kz_iin(f"{body}{k}") for k in range(10) if k != check)
    assert not checksums.kz_iin_has_birth_date(
        "991399312345"
    ) and not checksums.kz_iin_has_birth_date("900230312345")


@given(digit_strings(9))
def test_rnokpp_has_one_right_check_digit(body: str) -> None:
    check = weighted(body, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10
    assert [k for k in range(10) if checksums.ua_rnokpp(f"{body}{k}")] == [check]


@given(births, st.sampled_from("ABCHKEM"), digit_strings(3), st.sampled_from(("PB", "BA", "BI")))
def test_by_personal_number_needs_its_check_digit_and_a_date(
    birth: datetime.date, region: str, serial: str, state: str
) -> None:
    sex = "3" if birth.year < 2000 else "5"
    body = f"{sex}{birth:%d%m%y}{region}{serial}{state}"
    good = [k for k in range(10) if checksums.by_personal_number(f"{body}{k}")]
    assert good == [checksums.mrz_check_digit(body)]
    assert not checksums.by_personal_number(f"{sex}3113{body[5:]}{good[0]}")


@given(births, digit_strings(6), st.integers(0, 12), st.integers(1, 9))
def test_pinfl_detects_wrong_digits(birth: datetime.date, rest: str, at: int, by: int) -> None:
    body = ("3" if birth.year < 2000 else "5") + birth.strftime("%d%m%y") + rest
    value = f"{body}{checksums.mrz_check_digit(body)}"
    assert checksums.uz_pinfl(value) and checksums.uz_pinfl_has_birth_date(value)
    # weights 7, 3, 1 have no factor in common with 10: each wrong digit is detected
    assert not checksums.uz_pinfl(change_digit(value, at, by))


@given(digit_strings(11), st.integers(1, 12), st.integers(1, 9))
def test_idnp_detects_wrong_digits(rest: str, at: int, by: int) -> None:
    value = f"2{rest}{checksums.mrz_check_digit('2' + rest)}"
    assert checksums.md_idnp(value) and not checksums.md_idnp(change_digit(value, at, by))


@given(births, digit_strings(3))
def test_estonian_and_lithuanian_codes_share_the_check_digit(
    birth: datetime.date, serial: str
) -> None:
    body = ("3" if birth.year < 2000 else "5") + birth.strftime("%y%m%d") + serial
    check = weighted(body, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(body, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    for passes in (checksums.ee_isikukood, checksums.lt_asmens_kodas):
        assert [k for k in range(10) if passes(f"{body}{k}")] == [check]


@given(digit_strings(15).filter(lambda d: len(set(d)) > 3), st.integers(0, 15), st.integers(1, 9))
def test_card_detects_wrong_digits(body: str, at: int, by: int) -> None:
    (value,) = [f"{body}{k}" for k in range(10) if checksums.card(f"{body}{k}")]
    assert not checksums.card(change_digit(value, at, by))


@given(st.text(max_size=20))
def test_no_validator_raises(value: str) -> None:
    for name in (
        "ru_inn",
        "ru_snils",
        "ru_passport",
        "kz_iin",
        "kz_iin_has_birth_date",
        "ua_rnokpp",
        "by_personal_number",
        "uz_pinfl",
        "uz_pinfl_has_birth_date",
        "md_idnp",
        "ee_isikukood",
        "lt_asmens_kodas",
        "lv_personas_kods",
        "card",
        "iban",
        "kg_pin",
        "am_psn",
    ):
        assert getattr(checksums, name)(value) in (True, False)


@given(value=st.text("0123456789", min_size=9, max_size=13))
def test_own_formulas_agree_with_stdnum_on_any_digits(value: str) -> None:
    assert checksums.ru_inn(value) == inn.is_valid(value)
    assert checksums.ua_rnokpp(value) == rntrc.is_valid(value)


@pytest.mark.parametrize(
    ("own", "theirs", "length"),
    [
        (checksums.ru_inn, inn.is_valid, 10),
        (checksums.ru_inn, inn.is_valid, 12),
        (checksums.ua_rnokpp, rntrc.is_valid, 10),
        (checksums.ee_isikukood, ik.is_valid, 11),
        (checksums.lt_asmens_kodas, asmens.is_valid, 11),
    ],
    ids=["inn-10", "inn-12", "rnokpp", "ik", "asmens"],
)
def test_own_formulas_agree_with_stdnum_on_valid_numbers(
    own: Callable[[str], bool], theirs: Callable[[str], bool], length: int
) -> None:
    """Each body is tried with each ending; the right check digits are among them."""
    rng, passed = random.Random(5), 0
    for _ in range(60):
        dated = f"{rng.choice('3456')}{rng.randint(10, 99)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        body = (dated + "".join(rng.choices("0123456789", k=12)))[: length - 2]
        for end in range(100):
            value = f"{body}{end:02d}"
            assert own(value) == theirs(value), value
            passed += own(value)
    assert passed >= 60


@given(value=st.from_regex(r"\A(KZ|GE|LT|EE)[0-9]{2}[0-9A-Z]{4,34}\Z"))
def test_ibans_agree_with_stdnum(value: str) -> None:
    body = value[4:] + value[:2] + "00"
    right = f"{value[:2]}{98 - int(''.join(str(int(c, 36)) for c in body)) % 97:02d}{value[4:]}"
    for number in (value, right):
        assert checksums.iban(number) == iban.is_valid(number, check_country=False)
