from __future__ import annotations

import pytest

from schemas.duties import Duties, duties

OWN = {"LicenseRef-own": {"attribution": False, "share_alike": True}}


@pytest.mark.parametrize(
    ("expression", "attribution", "share_alike"),
    [
        ("CC0-1.0", False, False),
        ("CC-BY-4.0", True, False),
        ("CC-BY-NC-4.0", True, False),
        ("CC-BY-SA-4.0", True, True),
        ("CC-BY-NC-SA-3.0", True, True),
        ("ODbL-1.0", True, True),
        ("ODC-By-1.0", True, False),
        ("LicenseRef-own", False, True),
        ("LicenseRef-own AND CC-BY-4.0", True, True),
        ("CC0-1.0 OR CC-BY-4.0", True, False),
        ("LicenseRef-unknown", None, None),
        ("EUPL-1.2", None, None),
        ("EUPL-1.2 AND CC0-1.0", None, None),
        ("EUPL-1.2 AND CC-BY-4.0", True, None),
    ],
)
def test_duties(expression: str, attribution: bool | None, share_alike: bool | None) -> None:
    assert duties(expression, OWN) == Duties(attribution, share_alike)


def test_duties_in_words() -> None:
    assert Duties(True, True).description == "attribution, share-alike"
    assert Duties(False, False).description == "none"
    assert Duties(True, None).description == "attribution, share-alike not known"
