"""What a stage hands on, judged by its suite of expectations before the next stage may start.

Rows are checked in the stages, natively and by the shard; Great Expectations judges one row of
counts per shard and leaves a page of evidence behind.  The suites are data, in
`schemas/expectations/<stage>.json`; their `meta` says which columns add up to which.
"""

from __future__ import annotations

import json
import logging
import os
import re
from html import escape
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from lineage.storage import disk
from schemas.errors import NO, TamgaError
from schemas.stages import entry

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

_ROWS: Final = "expect_table_row_count_to_be_between"
_KEY: Final = ("lang", "shard")  # what names a row of counts
_LIMITS: Final = ("min_value", "max_value", "value_set")
_SHOWN: Final = 5  # shards named per failure


class Failure(NamedTuple):
    """An expectation that was not met; `column` names several with commas, or is empty."""

    expectation: str
    column: str
    observed: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.expectation}({self.column}): observed {self.observed}; wanted: {self.wanted}"


class ExpectationFailed(TamgaError):
    """A stage's output falls short of its suite; holds every expectation that failed, and lines
    that explain where the documents went, if someone who knows adds them."""

    exit_code = NO

    def __init__(self, stage: str, failures: list[Failure]) -> None:
        super().__init__(stage, failures)
        self.stage, self.failures, self.explained = stage, failures, list[str]()

    def __str__(self) -> str:
        lines = [f"{self.stage}: {failure}" for failure in self.failures]
        return "\n".join([*lines, *(f"  {line}" for line in self.explained)])

    @property
    def too_little_kept(self) -> bool:
        return any(failure.column in ("keep", "kept_share") for failure in self.failures)


def suite(stage: str) -> dict[str, Any]:
    """The expectations of `stage` as data: name, notes, meta, expectations."""
    text = resources.files("schemas").joinpath(entry(stage).suite).read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def derive(aggregates: pl.DataFrame, meta: dict[str, Any]) -> pl.DataFrame:
    """`aggregates` with the columns that sums are judged by.

    `uncounted`: how many counts are missing from the row; `unaccounted`: the whole less its
    parts; `kept_share`: what is kept over all shards, as a share of the whole (1 of nothing).
    A column whose terms are absent is left out.
    """
    present, whole, parts, kept = aggregates.columns, meta["whole"], meta["parts"], meta["kept"]
    counts = [name for name in present if name not in meta["nullable"]]
    derived = [pl.sum_horizontal(pl.col(counts).is_null().cast(pl.Int64)).alias("uncounted")]
    if whole in present and {*parts} <= {*present}:
        accounted = pl.sum_horizontal(pl.col(parts).cast(pl.Int64), ignore_nulls=False)
        derived.append((pl.col(whole).cast(pl.Int64) - accounted).alias("unaccounted"))
    if {whole, kept} <= {*present}:
        share = pl.col(kept).sum() / pl.col(whole).sum()
        derived.append(share.fill_nan(1.0).alias("kept_share"))
    return aggregates.with_columns(derived)


def validate(
    stage: str,
    aggregates: pl.DataFrame,
    docs: Path,
    *,
    min_keep_share: float | None = 0.0,
) -> dict[str, Any]:
    """Judge `aggregates` (a row per shard) by the suite of `stage`.

    `min_keep_share` is the least share of the stage's input that it must keep; at least one
    document must always be left, unless it is None.  The folder `docs` is replaced by
    `index.html`, a page without outside assets, and `result.json`, which is also returned:
    stage, success, shards, expectations, passed, failed, failures.  Neither holds a time, so
    the same counts give the same bytes.  Raises ExpectationFailed once both are written.
    """
    spec = suite(stage)
    # a column of nulls alone has no type to compare by
    aggregates = aggregates.with_columns(pl.col(pl.Null).cast(pl.Float64))
    frame = derive(aggregates.sort(pl.all()), spec["meta"]) if len(aggregates) else aggregates
    outcome = _run(
        spec,
        frame,
        {
            "min_keep": 0 if min_keep_share is None else 1,
            "min_keep_share": min_keep_share or 0.0,
        },
    )
    failures = [_failure(result.to_json_dict()) for result in outcome.results if not result.success]
    total = len(outcome.results)
    summary = {
        "stage": stage,
        "success": not failures,
        "shards": aggregates.height,
        "expectations": total,
        "passed": total - len(failures),
        "failed": len(failures),
        "failures": [failure._asdict() for failure in failures],
    }
    _replace(
        docs,
        {
            "index.html": _page(spec, outcome, failures),
            "result.json": json.dumps(summary, indent=1, ensure_ascii=False) + "\n",
        },
    )
    if failures:
        raise ExpectationFailed(stage, failures)
    return summary


def _run(
    spec: dict[str, Any],
    frame: pl.DataFrame,
    parameters: dict[str, float],
) -> ExpectationSuiteValidationResult:
    """Great Expectations' verdict, without files, telemetry or progress bars.

    An expectation about an absent column is not asked: the one about the set of columns names
    it.  Of no shards only their number is asked.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    for name in logging.root.manager.loggerDict:  # its modules set their own levels at import
        if name.startswith("great_expectations"):
            logging.getLogger(name).setLevel(logging.ERROR)

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asked = [
        one
        for one in spec["expectations"]
        if (one["type"] == _ROWS if frame.is_empty() else {*_columns(one)} <= {*frame.columns})
    ]
    source = context.data_sources.add_pandas(spec["name"])
    whole = source.add_dataframe_asset("shards").add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(
        name=spec["name"],
        data=whole,
        suite=context.suites.add(gx.ExpectationSuite(name=spec["name"], expectations=asked)),
    )
    outcome = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame.to_pandas(use_pyarrow_extension_array=True)},
        expectation_parameters=parameters,
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": _SHOWN,
            "unexpected_index_column_names": [key for key in _KEY if key in frame.columns],
        },
    )
    order = [(one["type"], _columns(one)) for one in asked]  # results come in any order
    outcome.results.sort(key=lambda one: order.index(_name(one.expectation_config)))
    return outcome


def _columns(expectation: dict[str, Any]) -> list[str]:
    kwargs = expectation["kwargs"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return named + kwargs.get("column_list", [])


def _name(config: Any) -> tuple[str, list[str]]:
    return config.type, _columns({"kwargs": config.kwargs})


def _failure(result: dict[str, Any]) -> Failure:
    config = result["expectation_config"]
    limits = ", ".join(
        f"{key} {config['kwargs'][key]}" for key in _LIMITS if key in config["kwargs"]
    )
    wanted = config["meta"]["notes"].rstrip(".") + (f" ({limits})" if limits else "")
    return Failure(config["type"], ",".join(_columns(config)), _observed(result), wanted)


def _observed(result: dict[str, Any]) -> str:
    found = result["result"]
    if missing := found.get("details", {}).get("mismatched", {}).get("missing"):
        return f"no {', '.join(missing)}"
    if "observed_value" in found:
        return str(found["observed_value"])
    if "unexpected_count" in found:
        count, rows = found["unexpected_count"], found.get("partial_unexpected_index_list", [])
        shown = [_row(row) for row in rows[:_SHOWN]]
        shown += [f"{count - len(shown)} more"] * (count > len(shown))
        return f"{count} of {found['element_count']} shards: {'; '.join(shown)}"
    info = result["exception_info"]  # at times under the name of a metric
    info = next((one for one in info.values() if isinstance(one, dict)), info)
    return "no answer, " + str(info.get("exception_message")).strip().split("\n")[0]


def _row(row: dict[str, Any]) -> str:
    shard = "/".join(str(row[key]) for key in _KEY if key in row)
    values = ", ".join(f"{name} {value}" for name, value in sorted(row.items()) if name not in _KEY)
    return f"{shard} ({values})" if values else shard


def _replace(docs: Path, files: dict[str, str]) -> None:
    """Put `files` in the place of the folder `docs`, never half of them."""
    with disk.atomic_folder(docs) as fresh:
        for name, content in files.items():
            disk.write_bytes(fresh / name, content.encode())


def _page(
    spec: dict[str, Any],
    outcome: ExpectationSuiteValidationResult,
    failures: list[Failure],
) -> str:
    """The Data Docs page of `outcome`, made to stand alone."""
    from great_expectations.render.renderer.page_renderer import (
        ValidationResultsPageRenderer as Renderer,
    )
    from great_expectations.render.view import DefaultJinjaPageView

    version = outcome.meta["great_expectations_version"]
    outcome.meta = {"batch_spec": {"data_asset_name": "counts per shard"}}
    for result in outcome.results:  # a traceback would name folders of this machine
        for info in (result.exception_info, *result.exception_info.values()):
            if isinstance(info, dict) and info.get("exception_traceback"):
                info["exception_traceback"] = ""
    document = Renderer(run_info_at_end=True).render(outcome)
    document.sections.pop()  # the run's time: `lineage/runs` has it, and pages stay comparable
    # A page of this kind comes without the controls that only scripts could serve.
    html = DefaultJinjaPageView().render(document, renderer_type="ValidationResults")
    return stand_alone(
        html,
        f"Validation of {spec['name']}",
        [
            f"{spec['notes']} Judged by Great Expectations {version}.",
            *map(str, failures),
        ],
    )


def stand_alone(html: str, title: str, lead: list[str]) -> str:
    """The body of `html` under `title` and the paragraphs `lead`, without outside assets.

    Whatever loads, runs or leads elsewhere goes; a small stylesheet of our own comes in.
    """
    body = _Body()
    body.feed(html)
    body.close()
    text = re.sub(r"\s*\n\s*", "\n", "".join(body.out)).strip()
    paragraphs = "\n".join(f"<p>{escape(line)}</p>" for line in lead)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{paragraphs}\n{text}\n</body>\n</html>\n"
    )


_STYLE: Final = r"""
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;
color:#1d2125;background:#fff}h1{font-size:1.5rem}h5{font-size:1.1rem}h6,.h6{font-weight:600}
h5,h6{margin:0 0 .3rem}table{border-collapse:collapse;width:100%;margin:.4rem 0}
th,td{border:1px solid #c9ced6;padding:.35rem .6rem;text-align:left;vertical-align:top}
th{background:#f0f2f5}ul{list-style:none;padding:0}nav li{display:inline-block;margin-right:1rem}
.alert{border-left:4px solid #56708f;background:#f0f2f5;padding:.5rem .8rem;margin-top:1.5rem}
.badge{background:#e3e7ed;border-radius:.2rem;padding:0 .3rem}a{color:#1c5d99}
.text-danger{color:#a8201a}.text-success{color:#1c7340}i{font-style:normal}
.fa-times::before{content:"\2717"}.fa-check-circle::before{content:"\2713"}
.fa-exclamation-triangle::before{content:"!"}
@media(prefers-color-scheme:dark){body{color:#e4e7eb;background:#16191d}a{color:#7db4e6}
th,.alert,.badge{background:#262c34}th,td{border-color:#454d58}
.text-danger{color:#ff8a80}.text-success{color:#7ddb9b}}
"""
_VOID: Final = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"}
_GONE: Final = {
    "embed",
    "footer",
    "form",
    "head",
    "iframe",
    "img",
    "input",
    "link",
    "meta",
    "object",
    "script",
    "style",
    "svg",
}
_ANCHOR: Final = re.compile(r"#?section-\d+")  # other names of elements are made up per run
_KEPT: Final = {"class", "colspan", "hidden", "href", "id", "rowspan", "scope"}


class _Body(HTMLParser):
    """Copies to `out` the content of a page's body that stands alone."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self._inside, self._depth = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._inside:
            self._depth += tag == self._inside
            return
        given = {name: value or "" for name, value in attrs if name in _KEPT}
        if tag in _GONE or "navbar-expand-md" in given.get("class", ""):
            if tag not in _VOID:
                self._inside, self._depth = tag, 1
        elif tag not in ("html", "body"):
            kept = "".join(
                f' {name}="{escape(value)}"'
                for name, value in given.items()
                if name not in ("href", "id") or _ANCHOR.fullmatch(value)
            )
            self.out.append(f"<{tag}{kept}>")

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._depth -= tag == self._inside
            self._inside = self._inside if self._depth else ""
        elif tag not in _VOID | {"html", "body"}:
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.out.append(escape(data, quote=False))
