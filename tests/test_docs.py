"""The docs are true: commands run or parse, outputs match, paths, modules and links exist."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from helpers.commands import ROOT

from pipelines import cli
from pipelines.ingest.signals.registry import PROTOCOLS
from pipelines.personal_data.rules import entities
from schemas.reasons import REASONS
from schemas.tables import DATA, LINEAGE

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(ROOT / name / "README.md" for name in ("benchmarks", "samples")),
    *sorted((ROOT / "docs").glob("*.md")),
]
#: The pages that name modules.
DEVELOPERS = [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md"]
TOP = (
    *("benchmarks", "docs", "lineage", "notebooks", "pipelines", "register"),
    *("samples", "schemas", "tests"),
)
MADE = ("release", "work")
#: Commands in two words, where the first alone is one too.
NESTED = (["quality", "train"], ["privacy", "preview"])
_BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
_MODULE = re.compile(r"(?:pipelines|lineage|schemas)(?:\.\w+)+")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


#: A page in a line of pytest's report.
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def blocks(page: Path, *names: str) -> Iterator[str]:
    """Yield the fenced blocks with these info strings.

    Blocks marked `console run` are run; `…` in what they show stands for anything.
    """
    for block in _BLOCK.finditer(page.read_text("utf-8")):
        if block["info"].strip() in names:
            yield block["body"]


def commands(page: Path) -> Iterator[str]:
    """Yield all command lines of a page, in blocks and in text."""
    for body in blocks(page, "console", "console run"):
        yield from (line[2:] for line in body.splitlines() if line.startswith("$ "))
    for body in blocks(page, "bash"):
        yield from (line.partition("#")[0].strip() for line in body.splitlines())
    prose = _BLOCK.sub("", page.read_text("utf-8"))
    for code in _CODE.findall(prose):
        if re.match(r"(?:tamga|dvc|make) [a-z]", code):
            yield code


def sessions() -> list[tuple[str, str, list[str]]]:
    """Return (page, command, lines shown) for each block that is marked to be run."""
    found = []
    for page in PAGES:
        for body in blocks(page, "console run"):
            for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
                command, *shown = part.splitlines()
                found.append((page.name, command, shown))
    return found


def paths(page: Path) -> Iterator[str]:
    """Yield the paths of files and folders that a page names."""
    prose = _BLOCK.sub("", page.read_text("utf-8"))
    for code in _CODE.findall(prose):
        for word in code.split():
            path = word.split(":")[0].rstrip(",")
            if path.split("/")[0] in TOP + MADE and "/" in path and not re.search(r"[<…*]", path):
                yield path


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `tamga` runs this tree's code."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "tamga"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pipelines.cli "$@"\n')
    command.chmod(0o755)
    return os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


@pytest.mark.parametrize(("page", "command", "shown"), sessions(), ids=lambda v: str(v)[:60])
def test_sessions_print_what_they_show(
    page: str, command: str, shown: list[str], sample_run: Path, shell: dict[str, str]
) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=sample_run,
        env=shell,
        text=True,
        timeout=300,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    pattern = re.escape("\n".join(shown)).replace("…", r"[\s\S]*?")
    assert re.search(rf"\A{pattern}\s*\Z", done.stdout), f"{page}: {command} printed\n{done.stdout}"


def test_sessions_are_collected() -> None:
    assert len(sessions()) >= 10


@each_page
def test_tamga_commands_parse(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.replace("…", "x"), comments=True)
        if not words or words[0] != "tamga":
            continue
        if words[1] not in cli.COMMANDS:
            assert re.search(rf"no `tamga {words[1]}`", page.read_text("utf-8")), line
            continue
        nested = words[1] in ("sources", "case") or words[1:3] in NESTED
        sub = words[1:3] if nested and len(words) > 2 else words[1:2]
        help_text = usage(*sub)
        if "--runner" not in words:
            assert {*_OPTION.findall(line)} <= {*_OPTION.findall(help_text)}, line


def usage(*command: str) -> str:
    """Return the text of `--help`."""
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    return re.sub(r"[\[\],]", " ", out.getvalue())


@each_page
def test_dvc_commands_parse(page: Path) -> None:
    parser = pytest.importorskip("dvc.cli.parser").get_main_parser()
    for line in commands(page):
        words = shlex.split(line)
        if words and words[0] == "dvc" and len(words) > 2:  # `dvc get` alone is a name
            parser.parse_args(words[1:])


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for line in commands(page):
        words = line.split()
        if words and words[0] == "make":
            assert words[1] in targets, line


@each_page
def test_python_blocks_compile(page: Path) -> None:
    for body in blocks(page, "python"):
        compile(body, page.name, "exec")


def test_the_lines_that_read_a_release(sample_run: Path) -> None:
    """`corpus` in the trainers' page is where `dvc get` puts a release."""
    first, *others = blocks(ROOT / "docs/trainers.md", "python")
    assert len([line for line in first.splitlines() if line]) == 3
    tried_elsewhere = ("exclusions", "sketches")  # they read more than a release
    plain = [body for body in others if not any(word in body for word in tried_elsewhere)]
    for body in (first, *plain):
        code = body.replace('"corpus/', f'"{sample_run}/release/sample/')
        done = subprocess.run(
            [sys.executable, "-c", code], text=True, capture_output=True, timeout=120
        )
        assert done.returncode == 0 and done.stdout, done.stderr


@each_page
def test_paths_exist(page: Path, sample_run: Path) -> None:
    optional = (
        "work/preview",  # only after `tamga privacy preview`
        *("register/withdrawals.yaml", "register/cases", "work/keys/requesters.jsonl"),
        *("release/receipts", "release/exclusions", "release/.withdraw"),
        *("work/.state", "work/dvc_plots"),
    )
    missing = [
        p
        for p in paths(page)
        if not p.startswith(optional)
        and not ((sample_run if p.split("/")[0] in MADE else ROOT) / p).exists()
    ]
    assert not missing


@each_page
def test_link_targets_exist(page: Path) -> None:
    for link in _LINK.findall(_BLOCK.sub("", page.read_text("utf-8"))):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, in the form of code hosts."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"({name_of(page)})" in readme for page in PAGES[1:])
    assert all(f"(notebooks/{n.name})" in readme for n in (ROOT / "notebooks").glob("*.ipynb"))


def test_the_glossary_has_a_line_per_term() -> None:
    page = (ROOT / "docs/glossary.md").read_text("utf-8")
    head, *rows = re.findall(r"^\| ([^|\n]+) \| ([^|\n]+) \|$", page, re.M)
    terms = [term.strip("`").lower() for term, _ in rows]
    assert head == ("term", "meaning")
    assert len(terms) >= 40
    assert len(rows) + 2 == sum(line.startswith("|") for line in page.splitlines())
    assert terms == sorted(set(terms))
    assert [term for term, meaning in rows if len(meaning.split()) >= 25] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_the_glossary_is_linked_from(page: Path) -> None:
    glossary = ROOT / "docs/glossary.md"
    links = {(page.parent / link).resolve() for link in _LINK.findall(page.read_text("utf-8"))}
    assert page == glossary or glossary in links


def sentences(page: Path) -> Iterator[str]:
    """Yield the sentences of a page: in paragraphs, list items and table cells."""
    prose = _BLOCK.sub("\n", page.read_text("utf-8"))
    prose = re.sub(r"\]\([^)]*\)", "]", _CODE.sub("code", prose))
    parts = re.split(r"\n\s*\n|\n\s*(?:-|\d+\.) |^#+ .*$|\|", prose, flags=re.M)
    for part in parts:
        yield from re.split(r"(?<=[.?!:])[*)]*\s+", part)


@pytest.mark.parametrize("name", ["glossary", "legal", "trainers"])
def test_sentences_are_short(name: str) -> None:
    """Under 25 words is the aim; a sentence of more than 34 cannot be read aloud."""
    found = [*sentences(ROOT / f"docs/{name}.md")]
    assert len(found) > 100
    assert [one for one in found if len(re.findall(r"\w[\w.'’-]*", one)) > 34] == []


def parameters() -> dict[str, Any]:
    """Return the keys of params.yaml from the schema."""
    schema = json.loads((ROOT / "schemas/params.schema.json").read_text("utf-8"))
    found: dict[str, Any] = schema["$defs"]["params"]["properties"]
    return found


def test_all_parameters_are_listed_with_their_defaults() -> None:
    page_text = (ROOT / "docs/data-engineers.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", page_text, re.M))
    for key, value in parameters().items():
        names = [f"{key}.{k}" for k in value.get("properties", {})] or [key]
        for name in names:
            row = next((r for r in rows if f"`{name}`" in r), None)
            assert row, f"{name} is not in the table"
            default = value.get("properties", {}).get(name.partition(".")[2], value).get("default")
            if default is not None:
                assert str(default) in rows[row], name


def test_the_parameters_in_the_table_exist() -> None:
    page_text = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    properties = parameters()
    for name in re.findall(
        r"`((?:ingest|language|quality|dedup|privacy|tokens|release|guard|policy)\.[a-z_]+)`",
        page_text,
    ):
        section, _, key = name.partition(".")
        assert key in properties[section]["properties"], name


def test_all_reasons_are_explained() -> None:
    page_text = (ROOT / "docs/legal.md").read_text("utf-8")
    reasons = {f"opted-out:{p.NAME}" for p in PROTOCOLS}
    reasons |= {r for rs in REASONS.values() for r in rs if not r.endswith((":", "-"))}
    assert {r for r in reasons if f"`{r}`" not in page_text} == set()


def test_all_classes_tables_and_columns_are_listed() -> None:
    stages, trainers = ((ROOT / f"docs/{n}.md").read_text("utf-8") for n in ("stages", "trainers"))
    assert {e for e in entities() if f"`{e}`" not in stages} == set()
    assert {n for n in (*DATA.names, *LINEAGE) if f"`{n}`" not in trainers} == set()


@pytest.mark.parametrize("page", DEVELOPERS, ids=name_of)
def test_modules_exist(page: Path) -> None:
    """A dotted name is a module, or something in one."""
    prose = _BLOCK.sub("", page.read_text("utf-8"))
    for code in _CODE.findall(prose):
        for name in _MODULE.findall(code):
            assert resolve_name(name)


def test_each_folder_of_code_is_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    folders = [
        folder.relative_to(ROOT).as_posix()
        for package in ("pipelines", "lineage")
        for folder in sorted((ROOT / package).iterdir())
        if any(folder.glob("*.py"))
    ]
    assert len(folders) >= 15
    assert [folder for folder in folders if f"`{folder}/`" not in page] == []


def test_names_in_the_architecture_are_in_their_files() -> None:
    """In a row that names Python files, a class or constant in code is in one of them."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    checked = 0
    for line in page.splitlines():
        codes = _CODE.findall(line) if line.startswith("|") else []
        files = [ROOT / code for code in codes if re.fullmatch(r"\w+(/\w+)+\.py", code)]
        text = "".join(file.read_text("utf-8") for file in files)
        for name in re.findall(r"`([A-Z][A-Z_]+|[A-Z]\w+(?:\.\w+)?)`", line):
            if files:
                checked += 1
                assert all(part in text for part in name.split(".")), line
    assert checked >= 15


def test_the_promises_are_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d)\. [^|]+ \| ([^|]+) \| ([^|]+) \|$", page, re.M)
    promises = [row for row in rows if "`tests/" in row[2]]
    assert [int(number) for number, _, _ in promises] == list(range(1, 10))
    assert all(".py`" in module and ".py`" in test for _, module, test in promises)


def test_pictures_load_nothing_from_outside() -> None:
    for picture in (ROOT / "docs/images").glob("*.svg"):
        text = picture.read_text("utf-8")
        assert len(text) < 200_000
        assert not re.search(r"@import|@font-face|url\(|<script|<image|href=|src=", text)
