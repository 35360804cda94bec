"""Time stamps are requested if the parameters say so, and verified with the authority's root."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from helpers.commands import ROOT, copy_run
from helpers.timestamp_authority import Authority, run_authority

from lineage import configuration, verify_command
from lineage.configuration import load_params
from lineage.signing import keys, timestamps
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import release_files
from lineage.storage.release_files import TIMESTAMP
from lineage.verify import defects
from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from pipelines.release import signing, time_authority
from pipelines.withdrawal import command as withdraw
from schemas.errors import Invalid


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with run_authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


@pytest.fixture(scope="module")
def home(sample_run: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample run whose release has a time stamp."""
    home = copy_run(sample_run, tmp_path_factory.mktemp("stamped"))
    text = (sample_run / "params.yaml").read_text()
    (home / "params.yaml").write_text(f"{text}\nseal: {{timestamp_url: '{authority.url}'}}\n")
    written = time_authority.stamp_release(
        load_params(home / "params.yaml"), home / "release/sample"
    )
    assert written == [release_files.TIMESTAMP, release_files.STAMPED]
    return home


def verified(home: Path, capsys: pytest.CaptureFixture[str], *more: object) -> tuple[int, str]:
    key = home / "work/keys/signing.pub"
    code = verify_command.main([str(home / "release/sample"), "--key", str(key), *map(str, more)])
    return code, capsys.readouterr().out


def test_a_stamp_is_verified(
    home: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = verified(home, capsys, "--tsa-certificate", authority.root)
    assert code == 0 and "; stamped 20" in output
    code, output = verified(home, capsys, "--json")
    assert code == 0 and json.loads(output)["timestamp"].startswith("20")
    code, output = verified(home, capsys)
    assert code == 0 and "--tsa-certificate verifies it" in output
    script = [sys.executable, str(ROOT / "docs/verify_release.py"), str(home / "release/sample")]
    done = subprocess.run([*script, str(home / "work/keys/signing.pub")], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_openssl_agrees(home: Path, authority: Authority) -> None:
    release = home / "release/sample"
    about = ["-data", release / release_files.STATEMENT, "-in", release / TIMESTAMP]
    command = ["openssl", "ts", "-verify", *about, "-CAfile", authority.root]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stamp_of_another_authority(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_authority(tmp_path / "other") as other:
        code, output = verified(home, capsys, "--tsa-certificate", other.root)
    assert code == 1 and output.startswith(f"{TIMESTAMP}: does not verify")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "holds no certificate"), (None, "cannot be read"), (b"tsa.pem", "holds no root")],
    ids=["empty", "absent", "no-root"],
)
def test_certificates_that_cannot_be_used(
    authority: Authority, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "some.pem"
    if content is not None:
        path.write_bytes((authority.folder / "tsa.pem").read_bytes() if content else b"")
    with pytest.raises(NoTimestamp, match=message):
        timestamps.load_certificates(path)


def test_a_change_of_any_byte_of_a_stamp_is_found(home: Path, tmp_path: Path) -> None:
    key = keys.public_key(home / "work/keys/signing.pub")
    release = tmp_path / "sample"
    shutil.copytree(home / "release/sample", release)
    draw = random.Random(5)
    for name in (release_files.TIMESTAMP, release_files.STAMPED):
        whole = (release / name).read_bytes()
        for place in draw.sample(range(len(whole)), 30):
            changed = bytearray(whole)
            changed[place] ^= 1 << draw.randrange(8)
            (release / name).write_bytes(changed)
            assert next(defects(release, key, None)).file == name, place
        (release / name).write_bytes(whole)
    (release / release_files.STAMPED).unlink()
    assert next(defects(release, key, None)).file == TIMESTAMP  # it belongs to no release


def test_a_stamp_that_is_missing(
    sample_run: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = verified(sample_run, capsys, "--tsa-certificate", authority.root)
    assert code == 1 and output.startswith(f"{release_files.STAMPED}: is missing")


def test_a_stamp_of_another_statement(home: Path) -> None:
    answer = (home / "release/sample" / TIMESTAMP).read_bytes()
    with pytest.raises(NoTimestamp, match="of something else"):
        timestamps.stamped_time(answer, b"another")
    with pytest.raises(NoTimestamp, match="not an answer"):
        timestamps.stamped_time(b"<html>", b"another")


def sealed(home: Path, tmp_path: Path, **seal: Any) -> list[str]:
    about = Context(*configuration.load_both(home / "params.yaml"))
    changed = replace(about.params, seal=replace(about.params.seal, **seal))
    manifest = json.loads((home / "release/sample/manifest.json").read_bytes())
    root = tmp_path / "release"
    (root / "lineage").mkdir(parents=True)
    documents = home / "release/sample/lineage/documents"
    shutil.copytree(documents, root / "lineage/documents")
    return signing.seal_release(replace(about, params=changed), root, manifest, {})


def test_an_authority_that_is_down(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {"timestamp_url": "http://127.0.0.1:9/"}
    assert TIMESTAMP not in sealed(home, tmp_path / "optional", **nobody)
    assert "warning: the release has no time stamp" in capsys.readouterr().err
    with pytest.raises(StageError, match="does not answer"):
        sealed(home, tmp_path / "required", **nobody, timestamp="required")


def test_an_authority_that_fails(home: Path, tmp_path: Path, authority: Authority) -> None:
    assert TIMESTAMP in sealed(home, tmp_path / "good", timestamp="required")
    authority.status = 500
    try:
        with pytest.raises(StageError, match="HTTPError"):
            sealed(home, tmp_path / "bad", timestamp="required")
    finally:
        authority.status = 200


def test_a_redacted_release_gets_a_new_stamp(
    home: Path, tmp_path: Path, authority: Authority
) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    before = (copy / "release/sample" / TIMESTAMP).read_bytes()
    asked = ["source", "kz-bilik", "--params", str(copy / "params.yaml"), "--confirm"]
    assert withdraw.main([*asked, "--by", "counsel", "--ground", "letter 12/7"]) == 0
    release = copy / "release/sample"
    assert (release / TIMESTAMP).read_bytes() != before
    key = keys.public_key(copy / "work/keys/signing.pub")
    assert not list(defects(release, key, None, timestamps.load_certificates(authority.root)))


@pytest.fixture
def required(home: Path, tmp_path: Path) -> Path:
    """Return a run that requires time stamps, after a withdrawal rewrote its release."""
    copy = tmp_path / "required"
    shutil.copytree(home, copy)
    path = copy / "params.yaml"
    path.write_text(path.read_text().replace("'}", "', timestamp: required}"))
    assert withdraw.main(["source", "kz-bilik", "--params", str(path), *BY]) == 0
    return copy


BY = ("--confirm", "--by", "counsel", "--ground", "letter 12/7")


def test_a_required_stamp_that_was_removed(
    required: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert verified(required, capsys)[0] == 0
    release = required / "release/sample"
    for name in (release_files.TIMESTAMP, release_files.STAMPED):
        (release / name).unlink()
    code, output = verified(required, capsys)
    assert code == 1 and output.startswith(f"{release_files.STAMPED}: is missing")
    script = [sys.executable, str(ROOT / "docs/verify_release.py"), str(release)]
    done = subprocess.run([*script, str(required / "work/keys/signing.pub")], capture_output=True)
    assert done.returncode == 1 and b"time stamp" in done.stderr


def test_an_authority_that_answers_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte arrives in time, but the complete answer is too late."""
    monkeypatch.setattr(timestamps, "TIMEOUT", 0.5)
    over = Event()

    def drip(server: socket.socket) -> None:
        asking, _ = server.accept()
        with asking:
            asking.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.1):
                asking.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        with pytest.raises(NoTimestamp, match="TimeoutError"):
            timestamps.request_timestamp(
                f"http://127.0.0.1:{server.getsockname()[1]}/", b"a statement"
            )
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "seal",
    [
        "{timestamp_url: 'ftp://x'}",
        "{timestamp: required}",
        "{timestamp_url: 'http://x', timestamp: no}",
    ],
    ids=["scheme", "no-url", "word"],
)
def test_contradictory_parameters(home: Path, tmp_path: Path, seal: str) -> None:
    text = (home / "params.yaml").read_text().rpartition("\nseal:")[0]
    path = tmp_path / "params.yaml"
    path.write_text(f"{text}\nseal: {seal}\n")
    with pytest.raises(Invalid, match="seal"):
        load_params(path)


def test_a_withdrawal_while_the_authority_is_down(
    required: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["source", "kz-gazette", "--params", str(required / "params.yaml"), *BY]
    authority.status = 500
    try:
        assert withdraw.main(asked) == 1
        assert "sample has no time stamp, and needs one" in capsys.readouterr().err
        code, output = verified(required, capsys)
        assert code == 1 and output.startswith(f"{release_files.STAMPED}: is missing")
        assert withdraw.main(asked) == 1
    finally:
        authority.status = 200
    assert withdraw.main(asked) == 0
    capsys.readouterr()
    assert verified(required, capsys, "--tsa-certificate", authority.root)[0] == 0
