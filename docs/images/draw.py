"""Draw `corpus.svg`: the closing tables of a run of the sample, and one trace.

    python docs/images/draw.py

Runs in a temporary folder; the picture asks for no font, style or script from elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TRACED = "https://bilik.example.kz/habar/robot.html"
CHAR, LINE, PAD, GAP = 7.2, 14, 18, 3  # pixels per column and line, margin, columns between
WIDTH = 124  # columns
COLOURS = {"keep": "#7ddb9b", "refuse": "#ffb86b", "drop": "#8fb8de", "damaged": "#ff8a80"}
_TABLE = re.compile(r"^(?P<title>\S.*)\n(?P<body>┏[\s\S]+?┘)", re.M)
_WORD = re.compile(r"(?<=│ )(keep|refuse|drop|damaged)\b")
_LABEL = re.compile(
    r"^(document|outcome|released|uri|captured|bytes|source|licence|right|evidence"
    r"|ingest|language|quality|dedup|privacy|copy|redacted)(?= )"
)
Row = tuple[float, float, str]  # column, line, markup
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" role="img"
 width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<title>The tables that the main job ends with, and one document traced to its bytes</title>
<style>text {{ font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 fill: #d5dae1; white-space: pre }} .b {{ font-weight: bold; fill: #ffffff }}</style>
<rect width="100%" height="100%" rx="8" fill="#16191d"/>
{lines}
</svg>
"""


def tamga(home: Path, *args: str) -> str:
    """Run a command in `home`; return its output."""
    env = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *args],
        cwd=home,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout


def observe() -> tuple[str, str]:
    """Return the outputs of a first `tamga run` and of a `tamga trace`."""
    with tempfile.TemporaryDirectory() as folder:
        home, build = Path(folder), ROOT / "samples/build.py"
        shutil.copytree(ROOT / "register", home / "register")
        shutil.copy(ROOT / "params.yaml", home)
        (home / "samples").mkdir()
        shutil.copy(ROOT / "samples/tokenizer.json", home / "samples")
        subprocess.run([sys.executable, build, "--out", home / "samples/raw"], check=True)
        return tamga(home, "run").replace(f"{home.resolve()}/", ""), tamga(home, "trace", TRACED)


def column(tables: list[tuple[str, list[str]]], at: float) -> tuple[list[Row], float]:
    """Place tables one below the other, from column `at`; return rows and number of lines."""
    rows: list[Row] = []
    line = 2.0
    for title, body in tables:
        rows.append((at, line, f'<tspan class="b">{escape(title.strip())}</tspan>'))
        for text in body:
            line += 1
            rows.append((at, line, _WORD.sub(_coloured, escape(text))))
        line += 2
    return rows, line


def trace_rows(trace: str, line: float) -> tuple[list[Row], float]:
    """Place a trace from a line on, cut to the picture's width; return rows and the next line."""
    rows: list[Row] = []
    for text in trace.splitlines():
        cut = text if len(text) <= WIDTH else text[: WIDTH - 2] + " …"
        rows.append((0, line, _LABEL.sub(r'<tspan class="b">\1</tspan>', escape(cut, quote=False))))
        line += 1
    return rows, line


def picture(run: str, trace: str) -> str:
    """Return an SVG of a run's output and a trace."""
    found = [(m["title"], m["body"].splitlines()) for m in _TABLE.finditer(run)]
    outcomes, sources, languages, stages = found
    rows: list[Row] = [(0, 0, "$ make corpus")]
    at, bottom = 0.0, 0.0
    for tables in ([outcomes], [sources], [languages, stages]):
        more, line = column(tables, at)
        rows, bottom = rows + more, max(bottom, line)
        at += max(len(text) for _, body in tables for text in body) + GAP
    rows.append((0, bottom - 1, escape(run.strip().splitlines()[-1])))
    rows.append((0, bottom + 1, f"$ tamga trace {TRACED}"))
    more, end = trace_rows(trace, bottom + 2)
    size = {
        "width": round(max(WIDTH, at - GAP) * CHAR + 2 * PAD),
        "height": round((end + 0.5) * LINE + 2 * PAD),
    }
    return FRAME.format(**size, lines="\n".join(_text(*row) for row in rows + more))


def _text(x: float, y: float, markup: str) -> str:
    """Return a line at its place. Its length is fixed, so columns align in any font."""
    left, base, length = PAD + x * CHAR, PAD + (y + 1) * LINE, _columns(markup) * CHAR
    return (
        f'<text x="{left:.1f}" y="{base:.0f}" textLength="{length:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{markup}</text>'
    )


def _coloured(word: re.Match[str]) -> str:
    return f'<tspan fill="{COLOURS[word[1]]}">{word[1]}</tspan>'


def _columns(markup: str) -> int:
    """Return the columns that a line takes: its characters without tags; an entity is one."""
    return len(re.sub(r"&\w+;|&#\w+;", "x", re.sub(r"<[^>]+>", "", markup)))


if __name__ == "__main__":
    (HERE / "corpus.svg").write_text(picture(*observe()), "utf-8")
