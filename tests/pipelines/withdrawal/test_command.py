"""Tests of `tamga withdraw`: the dry run and the withdrawal, on copies of the sample's run."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers.commands import ROOT, tamga
from helpers.release_tables import outcomes_by_document, read_jsonl, read_table
from helpers.withdrawals import CONFIRMED, files_below, run_withdraw

from lineage import receipts, register_files, trace
from lineage.configuration import load_params
from lineage.register_files import load_register
from lineage.signing import keys
from lineage.storage import release_files
from lineage.verify import defects
from lineage.withdrawal_scope import Scope
from pipelines.withdrawal.execution import start
from pipelines.withdrawal.impact import Impact


@pytest.fixture
def home(sample_copy: Path) -> Path:
    return sample_copy


def output_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def release_defects(home: Path, release: str = "sample") -> list[str]:
    key = keys.public_key(home / "work/keys/signing.pub")
    folder = home / "release" / release
    return [str(d) for d in defects(folder, key, home / "release" / release_files.LOG)]


def receipt(home: Path) -> Path:
    (path,) = (home / "release/receipts").glob("*.dsse.json")
    return path


def test_the_dry_run_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_below(home)
    assert run_withdraw(home, "source", "kz-bilik", "--json") == 0
    shown = output_json(capsys)
    assert files_below(home) == before
    data = read_table(home / "release/sample", "data")
    mine = data.filter(pl.col("source_id") == "kz-bilik")
    (one,) = shown["releases"]
    assert shown["documents"] == one["documents"] == mine.height > 0
    assert one["chars"] == mine["n_chars"].sum() and one["of"] == data.height
    assert set(one["languages"]) == set(mine["lang"].unique())
    assert set(one["shards"]) == set(
        read_table(home / "release/sample", "documents").filter(pl.col("source_id") == "kz-bilik")[
            "shard"
        ]
    )
    assert run_withdraw(home, "source", "kz-bilik") == 0
    assert "nothing was changed" in capsys.readouterr().out


def test_the_dry_run_shows_copies_with_their_lawful_basis(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = read_table(home / "release/sample", "duplicates")
    gone = members.filter(pl.col("doc_id") != pl.col("kept_doc_id"))
    pair = gone.join(members, left_on="kept_doc_id", right_on="doc_id").row(0, named=True)
    assert run_withdraw(home, "document", pair["kept_doc_id"], "--json") == 0
    copies = output_json(capsys)["releases"][0]["copies"]
    assert not copies["stay"]
    assert sum(c["documents"] for c in copies["take_over"] + copies["barred"]) >= 1
    for one in copies["take_over"]:
        assert one["licence"] and one["basis"] and one["text_at_hand"] == one["documents"]
    assert run_withdraw(home, "document", pair["doc_id"], "--json") in (0, 1)
    (stay,) = output_json(capsys)["releases"][0]["copies"]["stay"]
    assert stay["examples"] == [pair["kept_doc_id"]]


def test_a_source_is_withdrawn(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = home / "release/sample"
    before, data = files_below(release), read_table(release, "data")
    old_fates = outcomes_by_document(release)
    ids = set(data.filter(pl.col("source_id") == "kz-bilik")["doc_id"])
    assert (
        run_withdraw(home, "source", "kz-bilik", *CONFIRMED, "--due", "2999-01-01", "--json") == 0
    )
    done = output_json(capsys)
    assert done["counts"]["documents"] == str(len(ids)) and not done["erased"]
    after, left = files_below(release), read_table(release, "data")
    assert set(left["doc_id"]) == set(data["doc_id"]) - ids
    changed = set(done["releases"][0]["shards"])
    for name in (n for n in before if n.startswith("data/")):
        assert (after.get(name) == before[name]) == (name not in changed), name
    assert not release_defects(home)
    new_fates = outcomes_by_document(release)
    assert {i for i in new_fates if new_fates[i] != old_fates[i]} == ids
    assert {new_fates[i] for i in ids} == {("refuse", "withdrawn")}
    assert after["seal/leaves"] == before["seal/leaves"]
    assert after["README.md"] != before["README.md"]
    excluded = read_jsonl(home / f"release/exclusions/{done['id']}.jsonl")
    assert {one["doc_id"] for one in excluded} == ids
    old = {r["doc_id"]: r for r in table_of(before, "documents").to_dicts()}
    for one in excluded:
        assert {k: one[k] for k in ("shard", "row", "text_sha256")} == {
            k: old[one["doc_id"]][k] for k in ("shard", "row", "text_sha256")
        }
    public = home / "work/keys/signing.pub"
    script = [sys.executable, str(ROOT / "docs/verify_release.py"), str(release), str(public)]
    assert subprocess.run(script, capture_output=True, text=True).stdout == "sound\n"
    assert not list(receipts.defects(receipt(home), keys.public_key(public)))
    (entry,) = load_register(home / "register").withdrawals
    assert (entry.scope, entry.value, entry.ground) == ("source", "kz-bilik", "letter 12/7")
    assert 'recorded_by: "counsel"' in (home / "register/withdrawals.yaml").read_text()
    one = min(ids)
    assert trace.main([one, "--release", str(release), "--root", str(ROOT), "--json"]) in (0, 1)
    (chain,) = output_json(capsys)["chains"]
    assert (chain["outcome"], chain["reason"]) == ("refuse", "withdrawn")
    assert chain["decisions"][-1]["evidence"]["withdrawal"] == done["id"]


def table_of(contents: dict[str, bytes], name: str) -> pl.DataFrame:
    return pl.concat(
        [pl.read_parquet(c) for n, c in contents.items() if n.startswith(f"lineage/{name}/")]
    )


def test_a_repeated_withdrawal_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_withdraw(home, "domain", "bilik.example.kz", *CONFIRMED, "--erase") == 0
    before = files_below(home)
    capsys.readouterr()
    assert run_withdraw(home, "domain", "BILIK.example.kz.", *CONFIRMED, "--erase") == 0
    assert "already withdrawn" in capsys.readouterr().out
    assert run_withdraw(home, "domain", "bilik.example.kz") == 0
    assert files_below(home) == before


def test_a_value_without_match_exits_with_1_and_can_be_barred(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_below(home)
    assert run_withdraw(home, "domain", "nowhere.example") == 1
    assert "nothing in the releases" in capsys.readouterr().out
    for domain in ("example.kz", "nowhere.example"):
        assert run_withdraw(home, "domain", domain) in (0, 1)
    assert files_below(home) == before
    assert run_withdraw(home, "domain", "nowhere.example", *CONFIRMED) == 0
    assert [w.value for w in load_register(home / "register").withdrawals] == ["nowhere.example"]
    assert not release_defects(home)


def test_a_url_and_a_text(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = home / "release/sample"
    data = read_table(release, "data").sort("doc_id")
    web = data.filter(pl.col("uri").str.starts_with("https://")).row(0, named=True)
    other = web["uri"].replace("https://", "HTTP://") + "#part"
    assert (
        run_withdraw(home, "url", web["uri"].replace("https://", "HTTP://"), *CONFIRMED, "--json")
        == 0
    )
    done = output_json(capsys)
    assert web["uri"] not in json.dumps(done) and "value" not in done
    assert run_withdraw(home, "url", other, *CONFIRMED) == 2
    left = read_table(release, "data")
    assert web["doc_id"] not in set(left["doc_id"])
    text = left.filter(pl.col("n_chars") > 50).sort("doc_id").row(0, named=True)
    (home / "letter.txt").write_text(text["text"] + "\n", "utf-8")
    assert run_withdraw(home, "text", str(home / "letter.txt"), *CONFIRMED, "--json") == 0
    assert output_json(capsys)["value"] == sha256(text["text"].encode()).hexdigest()
    assert text["doc_id"] not in set(read_table(release, "data")["doc_id"])
    assert not release_defects(home)


def test_a_text_that_no_release_holds(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "letter.txt").write_text("Такого письма никто не присылал.", "utf-8")
    assert run_withdraw(home, "text", str(home / "letter.txt")) == 1
    assert "nothing in the releases matches text" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["source", "kz-bilik", "--confirm", "--by", "John Smith", "--ground", "x"], "a role"),
        (["source", "kz-bilik", "--confirm", "--by", "counsel", "--ground", "a@b.example"],
         "personal data"),
        (["document", "kz-bilik"], "32 hex"),
        (["domain", "https://a.example/x"], "host name"),
        (["url", "'; DROP TABLE records; --"], "a URL"),
        (["source", "kz-bilik", *CONFIRMED, "--due", "soon"], "a date"),
        (["text", "not a digest"], "VALUE: must be the SHA-256 of the text in 64 hex"),
        (["source", "kz-bilik", *CONFIRMED, "--received", "2999-01-01"], "--received: is in the future"),
        (["source", "kz-bilik", "--received", "2020-01-02", "--due", "2020-01-01"],
         "--due: is before the day of receipt, 2020-01-02"),
        (["source", "kz-bilik", *CONFIRMED, "--case", "12"], "--case: "),
    ],
    ids=["role", "ground", "document", "domain", "url", "due", "text", "future", "before", "case"],
)  # fmt: skip
def test_bad_usage(
    home: Path, args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_below(home)
    assert run_withdraw(home, *args) == 2
    assert words in capsys.readouterr().err
    assert files_below(home) == before


def test_confirm_requires_role_and_ground(home: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        run_withdraw(home, "source", "kz-bilik", "--confirm")
    assert ended.value.code == 2


def test_a_withdrawal_that_empties_a_release_requires_all(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If a release has only one source, its withdrawal prints a warning and requires --all."""
    release = home / "release/sample"
    about, found = load_params(home / "params.yaml"), load_register(home / "register")
    records = read_table(release, "records")
    others = records.filter((pl.col("source_id") != "kz-bilik").fill_null(True))["doc_id"]
    scope = Scope("source", "kz-eski", ids=tuple(others))
    order = {"recorded_on": "2026-11-22", "ground": "x", "recorded_by": "counsel", "erase": False}
    start(Impact(about, found, scope), order).carry_out()
    assert set(read_table(release, "data")["source_id"]) == {"kz-bilik"}
    assert run_withdraw(home, "source", "kz-bilik") == 0
    assert "WARNING: EVERYTHING" in capsys.readouterr().out
    assert run_withdraw(home, "source", "kz-bilik", *CONFIRMED) == 1
    assert "EVERYTHING" in capsys.readouterr().err and not release_defects(home)
    assert run_withdraw(home, "source", "kz-bilik", *CONFIRMED, "--all") == 0
    assert not release_defects(home) and not list((release / "data").rglob("*.parquet"))


def test_a_truncated_table_is_reported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((home / "release/sample/lineage/records").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    assert run_withdraw(home, "source", "kz-bilik") == 1
    assert "tamga verify" in capsys.readouterr().err


def test_a_changed_release_is_not_redacted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = next((home / "release/sample/data/kk").glob("*.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content + b"x")
    before = files_below(home)
    assert run_withdraw(home, "source", "kz-bilik", *CONFIRMED) == 1
    assert "does not have the bytes that were signed" in capsys.readouterr().err
    assert files_below(home) == before


def test_a_changed_receipt_is_detected(home: Path) -> None:
    assert run_withdraw(home, "source", "kz-bilik", *CONFIRMED) == 0
    path, key = receipt(home), keys.public_key(home / "work/keys/signing.pub")
    command = ("verify", "--receipt", path, "--params", home / "params.yaml")
    assert tamga(*command).returncode == 0
    excluded = next((home / "release/exclusions").iterdir())
    content = excluded.read_bytes()
    excluded.write_bytes(content[:-2])
    assert "does not have the bytes" in str(next(receipts.defects(path, key)))
    excluded.write_bytes(content)
    (home / "release" / release_files.LOG).write_bytes(b"")
    assert "before and after" in str(next(receipts.defects(path, key)))
    envelope = path.read_bytes()
    path.write_bytes(envelope.replace(b"A", b"B", 1))
    assert list(receipts.defects(path, key))
    assert tamga(*command).returncode == 1


def test_a_new_run_does_not_release_withdrawn_text(home: Path) -> None:
    """A new run over the same raw files refuses withdrawn records as `withdrawn`.  Records of a lifted
    withdrawal name its case."""
    entry = {"scope": "source", "value": "kz-gazette", "recorded_on": "2026-01-01", "ground": "x"}
    register_files.add_withdrawal(home / "register", entry)
    lifted = {"lifted_on": "2026-02-01", "lifted_by_case": "c-0001"}
    assert register_files.lift_withdrawals(home / "register", "source", "kz-gazette", lifted)
    about = load_params(home / "params.yaml")
    assert about.root == home
    (home / "samples").symlink_to(ROOT / "samples")
    assert run_withdraw(home, "source", "kz-bilik", *CONFIRMED, "--erase") == 0
    assert {p.name for p in (home / "work").iterdir()} <= {
        "keys", "metrics", "plots", "validation", ".state"
    }  # fmt: skip
    done = tamga("run", "--params", home / "params.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    release = home / "release/sample"
    mine = read_table(release, "records").filter(pl.col("source_id") == "kz-bilik")["doc_id"]
    found = outcomes_by_document(release)
    assert len(mine) and {found[i] for i in mine} == {("refuse", "withdrawn")}
    records = read_table(release, "records").filter(pl.col("source_id") == "kz-gazette")["doc_id"]
    kept = read_table(release, "decisions").filter(
        pl.col("doc_id").is_in(records.implode()), stage="ingest", outcome="keep"
    )
    cases = {json.loads(e)["reinstated"]["case"] for e in kept["evidence"]}
    assert kept.height and cases == {"c-0001"}
    assert not release_defects(home)
    key = keys.public_key(home / "work/keys/signing.pub")
    assert not list(receipts.defects(receipt(home), key))
