"""A register, its policies and its withdrawals are read from their folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import SHARED
from helpers.policy_packs import PACK, write_pack
from helpers.register_folders import entry_text, register_problems, write_register
from hypothesis import example, given
from hypothesis import strategies as st

from lineage import register_files
from lineage.configuration import load_params
from lineage.register_files import load_policies, load_register, read_yaml
from schemas import policy
from schemas.errors import Invalid


def test_all_errors_of_all_files_at_once(tmp_path: Path) -> None:
    write_register(
        tmp_path,
        {
            "a1": entry_text("a1").replace("KZ", "XX"),
            "b1": "x: [",
            "d1": entry_text("d1", "d.kz"),
            "e1": entry_text("e1", "D.KZ.").replace("CC-BY-4.0", "cc-by-4.0"),
        },
        licences="LicenseRef-x: {title: x}\nOther: {}\n",
        withdrawals="- {scope: document, value: zz, recorded_on: 2026-01-01, ground: asked}\n",
    )
    (tmp_path / "sources/c1.yaml").write_bytes("title: Ә".encode("cp1251", "replace") + b"\xff")
    (tmp_path / "sources/f1.yml").write_text("id: f1\n")
    found = register_problems(tmp_path)
    assert {Path(p.file).name for p in found} == {
        "a1.yaml",
        "b1.yaml",
        "c1.yaml",
        "e1.yaml",
        "f1.yml",
        "licences.yaml",
        "withdrawals.yaml",
    }
    [tie] = [p for p in found if p.file.endswith("e1.yaml")]
    assert tie.line == 9 and "claimed by d1 and by e1" in tie.message


def test_missing_or_empty_evidence_is_not_an_error(tmp_path: Path) -> None:
    write_register(tmp_path, {"one": entry_text()})
    evidence = tmp_path / "evidence/one.txt"
    evidence.write_text("")
    assert load_register(tmp_path).sources["one"].evidence_sha256 is None
    evidence.unlink()
    assert load_register(tmp_path).sources["one"].evidence_sha256 is None
    (tmp_path / "elsewhere").write_text("kept by DVC")
    evidence.symlink_to(tmp_path / "elsewhere")
    assert load_register(tmp_path).sources["one"].evidence_sha256


def test_an_empty_register_is_an_error(tmp_path: Path) -> None:
    assert "no such folder" in register_problems(tmp_path)[0].message
    assert "holds no source" in register_problems(write_register(tmp_path, {}))[0].message


@pytest.mark.skipif(not (SHARED / "tools/gauntlet.py").exists(), reason="no gauntlet at hand")
def test_the_gauntlets_register_loads(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            SHARED / "tools/gauntlet.py",
            "--docs",
            "20",
            "--out",
            tmp_path,
            "--sentences",
            SHARED / "data/sentences",
        ],
        check=True,
        capture_output=True,
    )

    run = load_params(tmp_path / "params.yaml")
    found = load_register(run.register)
    truth = pl.read_ndjson(tmp_path / "truth/documents.jsonl", infer_schema_length=None)
    hosts = truth["uri"].drop_nulls()
    assert found.match(hosts, "web").drop_nulls().n_unique() > 10
    assert [s.id for s in found.sources.values() if s.evidence_sha256 is None] == ["ge-nopaper"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert "cannot be read" in read_yaml(path)[1][0].message
    path.write_bytes("a: 1\nb: қазақ\n".encode("utf-16"))
    assert "not UTF-8" in read_yaml(path)[1][0].message
    path.write_bytes(b"a: 1\nb: \xcf\xf0\n")
    assert read_yaml(path)[1][0].line == 2
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    source, problems = read_yaml(path)
    assert source is not None and source.value == {"a": 1} and not problems


def test_packs_of_a_folder_replace_the_built_in_ones(tmp_path: Path) -> None:
    write_pack(tmp_path, PACK.replace("pack: XX", "pack: OWN").replace("[XX]", "[KZ, LV]"), "OWN")
    packs = load_policies(tmp_path)
    assert {j: packs.by_jurisdiction[j].name for j in ("KZ", "LV", "LT", "RU")} == {
        "KZ": "OWN", "LV": "OWN", "LT": "EU", "RU": "RU",
    }  # fmt: skip
    assert packs.sha256 != policy.built_in().sha256


def test_a_folder_without_packs_or_with_two_for_one_country(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="holds no policy pack"):
        load_policies(tmp_path / "none")
    write_pack(tmp_path)
    write_pack(tmp_path, PACK.replace("pack: XX", "pack: YY"), "YY")
    with pytest.raises(Invalid, match="a jurisdiction can have one pack"):
        load_policies(tmp_path)


ENTRY = {"scope": "domain", "value": "a.example", "recorded_on": "2026-01-01", "ground": "g"}


@example(ground="a line\x85that\u2028ends")
@given(
    ground=st.text(min_size=1, max_size=40).filter(lambda t: t.strip().isprintable() and t.strip())
)
def test_any_ground_is_read_back(ground: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    register = tmp_path_factory.mktemp("register")
    for value in ("a.example", "b.example"):
        register_files.add_withdrawal(register, ENTRY | {"value": value, "ground": ground})
    assert [e["ground"] for e in register_files.recorded_withdrawals(register)] == [ground, ground]


@pytest.mark.parametrize(
    "before",
    [
        "# ours\n- {scope: domain, value: b.example, recorded_on: '2026-01-01', ground: g} # why",
        "# ours\n- scope: domain\n  value: b.example # why\n  recorded_on: 2026-01-01\n  ground: g\n",
        "[{scope: domain, value: b.example, recorded_on: '2026-01-01', ground: g}]",
        "# ours\n",
    ],
    ids=["flow", "block", "list", "empty"],
)
def test_the_file_keeps_its_other_content(before: str, tmp_path: Path) -> None:
    path = tmp_path / "withdrawals.yaml"
    path.write_text(before)
    had = register_files.recorded_withdrawals(tmp_path)
    register_files.add_withdrawal(tmp_path, ENTRY)
    assert register_files.recorded_withdrawals(tmp_path) == [*had, ENTRY]
    if not before.startswith("["):
        assert path.read_text().startswith(before)
    lifted = {"lifted_on": "2026-02-01", "lifted_by_case": "c-0001"}
    assert register_files.lift_withdrawals(tmp_path, "domain", "A.example.", lifted)
    assert register_files.recorded_withdrawals(tmp_path) == [*had, ENTRY | lifted]
    assert ("# ours" in path.read_text()) == before.startswith("# ours")
    assert not register_files.lift_withdrawals(tmp_path, "domain", "a.example", lifted)


def test_a_broken_file_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "withdrawals.yaml").write_text("- {scope: domain}\n")
    with pytest.raises(Invalid):
        register_files.add_withdrawal(tmp_path, ENTRY)
    assert (tmp_path / "withdrawals.yaml").read_text() == "- {scope: domain}\n"


def test_no_entry_of_several_writers_is_lost(tmp_path: Path) -> None:
    values = [f"h{number}.example" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(
            lambda v: register_files.add_withdrawal(tmp_path, ENTRY | {"value": v}), values
        )
        assert list(done) == [None] * len(values)
    found = register_files.recorded_withdrawals(tmp_path)
    assert sorted(one["value"] for one in found) == sorted(values)


def test_an_edit_keeps_the_file_s_permissions(tmp_path: Path) -> None:
    path = tmp_path / "withdrawals.yaml"
    path.write_text("# ours\n")
    path.chmod(0o660)
    register_files.add_withdrawal(tmp_path, ENTRY)
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("break_it", [lambda p: p.mkdir(), lambda p: p.parent.rmdir()])
def test_a_file_that_cannot_be_written(tmp_path: Path, break_it: Callable[[Path], None]) -> None:
    path = tmp_path / "register/withdrawals.yaml"
    path.parent.mkdir()
    break_it(path)
    with pytest.raises(Invalid, match=r"register.*: cannot be (read|written)"):
        register_files.add_withdrawal(path.parent, ENTRY)
    assert not path.is_file()
