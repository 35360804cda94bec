"""`tamga report`: forms of the reports, wrong usage, damaged releases."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from helpers.report_release import make_entry, write_release

from lineage.reports import command, markdown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"source_id": "a", "uri": "https://a.example/"}]
    return write_release(tmp_path / "r", [make_entry("a", "CC-BY-4.0")], rows).folder


PAGES = ("licences", "attribution", "opt-outs", "eu-summary")
VALUES = ("croissant", "spdx", "dps")


@pytest.mark.parametrize("report", PAGES)
def test_a_page_report_prints_markdown_and_json(
    report: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([report, "--release", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("# ")
    assert command.main([report, "--release", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("report", VALUES)
def test_a_standard_is_written_as_json(
    report: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert command.main([report, "--release", str(folder), "--out", str(out)]) == 0
    assert json.loads(out.read_bytes()) and not capsys.readouterr().out


def test_licences_as_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["licences", "--release", str(folder), "--csv"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.startswith("licence,source_id,lang") and row.startswith("CC-BY-4.0,a,kk,consent,1")


def test_domains_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts = [f"h{i:02}.example" for i in range(1, 31)]
    rows = [{"source_id": "a", "uri": f"https://{h}/{i}"} for i, h in enumerate(hosts * 2)]
    rows.append({"source_id": "a", "uri": "https://h30.example/more"})
    folder = write_release(tmp_path / "r", [make_entry("a", "CC-BY-4.0")], rows).folder
    assert command.main(["eu-summary", "--release", str(folder), "--csv"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "rank,host,documents,chars,named_by" and len(lines) == 30
    assert lines[0].startswith("1,h30.example,3,")
    # of 30 domains: 10 % are 3; 5 % are 2, rounded up
    assert [row.rpartition(",")[2] for row in lines[:5]] == ["all", "all", "larger", "none", "none"]


@pytest.mark.parametrize("report", PAGES)
def test_pages_are_rendered_as_html(report: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert command.main([report, "--release", str(folder), "--html", "--out", str(out)]) == 0
    assert "<h1>" in out.read_text() and "default-src 'none'" in out.read_text()


def test_html_in_a_report_is_shown_as_text() -> None:
    rendered = markdown.html_page(
        "<t>", "# a <script>alert(1)</script>\n\n[x](javascript:alert(1))\n"
    )
    assert "<script" not in rendered and 'href="javascript' not in rendered
    assert "<title>&lt;t&gt;</title>" in rendered


@pytest.mark.parametrize(
    "arguments",
    [
        ["prov"],
        ["licences", "--document", "0"],
        ["spdx", "--csv"],
        ["licences", "--csv", "--json"],
        ["licences", "--csv", "--html"],
        ["attribution", "--csv"],
        ["spdx", "--html"],
        ["nothing"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], folder: Path) -> None:
    with pytest.raises(SystemExit) as exit_:
        command.main([*arguments, "--release", str(folder)])
    assert exit_.value.code == 2


def test_a_missing_release_or_record_gives_an_exit_code(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["licences", "--release", str(tmp_path)]) == 2
    assert "holds no release" in capsys.readouterr().err
    assert command.main(["licences", "--params", str(tmp_path / "none.yaml")]) == 2
    assert "name a params file" in capsys.readouterr().err
    assert command.main(["prov", "--document", "0", "--release", str(folder)]) == 1
    assert command.main(["openlineage", "--release", str(folder)]) == 2
    missing = tmp_path / "no/such/file"
    assert command.main(["spdx", "--release", str(folder), "--out", str(missing)]) == 2


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all"], ids=["0", "4", "text"])
def test_a_damaged_table_is_an_error(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "lineage/documents/part-00000.parquet").write_bytes(content)
    assert command.main(["licences", "--release", str(folder)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["name", "as_of", "counts", "files"])
def test_a_manifest_without_a_key_is_an_error(
    key: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest[key]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert command.main(["eu-summary", "--release", str(folder)]) == 2
    assert isinstance(io.StringIO(capsys.readouterr().err).readline(), str)
