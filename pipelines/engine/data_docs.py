"""Great Expectations' verdict on the output of stages, and its Data Docs.

This module runs in a child process (`pipelines.engine.docs_process` starts it), because the
library's import takes longer than a small run.  It reads paths of requests from standard input, one
per line, and answers each with a line of JSON on standard output.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from html import escape
from html.parser import HTMLParser
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lineage.storage import disk
from pipelines.engine import expectations
from pipelines.engine.expectations import KEY, SHOWN, Failure, Verdict

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.view import DefaultJinjaPageView

#: Great Expectations imports these only for expectations that no suite uses: half its import time.
_LAZY: Final = ("altair", "scipy.stats")


def main() -> int:
    """Answer requests until standard input ends."""
    with suppress(OSError):
        os.nice(10)  # the run has priority
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries must not print between the answers
    requests = queue.SimpleQueue[str]()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    sys.meta_path.insert(0, _LazyFinder())
    _page_view()
    while True:
        file = requests.get()
        print(json.dumps(answer(Path(file))), file=answers, flush=True)


def _read_requests(requests: queue.SimpleQueue[str]) -> None:
    """Queue the lines of standard input.  At its end the run has ended, so this process ends."""
    for line in sys.stdin:
        requests.put(line.rstrip("\n"))
    os._exit(0)


def answer(file: Path) -> dict[str, Any]:
    """Write the Data Docs that a request asks for.

    Args:
      file: a request as `pipelines.engine.validation` writes it.

    Returns:
      `contradictions`: the differences from the native verdict; or `error`, if the Data Docs could
      not be written.
    """
    try:
        request = disk.read_json(file)
        theirs = write_data_docs(
            request["stage"],
            pl.DataFrame(request["aggregates"], infer_schema_length=None),
            Path(request["docs"]),
            min_keep_share=request["min_keep_share"],
        )
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    native = [Verdict(*fields) for fields in request["verdicts"]]
    return {"contradictions": list(contradictions(native, theirs))}


def contradictions(native: Sequence[Verdict], theirs: Sequence[Verdict]) -> Iterator[str]:
    """Yield the differences between two verdicts on the same output."""
    if [verdict[:2] for verdict in native] != [verdict[:2] for verdict in theirs]:
        yield "the two verdicts are about different expectations"
        return
    for own, other in zip(native, theirs, strict=True):
        if own.success != other.success:
            yield (
                f"{own.expectation}({own.column}) "
                f"{'holds' if other.success else 'fails'} for Great Expectations "
                f"(observed {other.observed}), and natively it "
                f"{'holds' if own.success else 'fails'} (observed {own.observed})"
            )


def write_data_docs(
    stage: str, aggregates: pl.DataFrame, docs: Path, *, min_keep_share: float | None = 0.0
) -> list[Verdict]:
    """Validate a stage's counts by Great Expectations and write its Data Docs.

    Args:
      stage: its name.
      aggregates: a row of counts per shard.
      docs: the folder to replace.  It gets `index.html`, a page without outside assets, and
        `result.json`: stage, success, shards, expectations, passed, failed, failures.  Neither
        holds a time, so the same counts give the same bytes.
      min_keep_share: the least share of its input that the stage must keep.  At least one
        document must be kept, unless it is None.
    """
    spec = expectations.suite(stage)
    frame = expectations.prepare_rows(aggregates, spec["meta"])
    outcome = _validate(spec, frame, expectations.parameters(min_keep_share))
    verdicts = [_verdict(result.to_json_dict()) for result in outcome.results]
    failures = expectations.failures(spec, verdicts)
    summary = {
        "stage": stage,
        "success": not failures,
        "shards": aggregates.height,
        "expectations": len(verdicts),
        "passed": len(verdicts) - len(failures),
        "failed": len(failures),
        "failures": [failure._asdict() for failure in failures],
    }
    _replace_folder(
        docs,
        {
            "index.html": _page(spec, outcome, failures),
            "result.json": json.dumps(summary, indent=1, ensure_ascii=False) + "\n",
        },
    )
    return verdicts


class _LazyFinder(MetaPathFinder):
    """Finds the modules of `_LAZY`; each is executed at its first use."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _LAZY else None
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)
        return spec


@cache
def _page_view() -> DefaultJinjaPageView:
    """Return the page's templates, compiled once."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from great_expectations.render.view import DefaultJinjaPageView

    return DefaultJinjaPageView()


def _validate(
    spec: dict[str, Any],
    frame: pl.DataFrame,
    parameters: dict[str, float],
) -> ExpectationSuiteValidationResult:
    """Run Great Expectations without files, telemetry or progress bars."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    for name in logging.root.manager.loggerDict:  # its modules set their own levels at import
        if name.startswith("great_expectations"):
            logging.getLogger(name).setLevel(logging.ERROR)

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    applicable = expectations.applicable(spec, frame)
    source = context.data_sources.add_pandas(spec["name"])
    all_rows = source.add_dataframe_asset("shards").add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(
        name=spec["name"],
        data=all_rows,
        suite=context.suites.add(gx.ExpectationSuite(name=spec["name"], expectations=applicable)),
    )
    outcome = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame.to_pandas(use_pyarrow_extension_array=True)},
        expectation_parameters=parameters,
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": SHOWN,
            "unexpected_index_column_names": [key for key in KEY if key in frame.columns],
        },
    )
    order = [(e["type"], expectations.columns(e)) for e in applicable]

    def position(result: Any) -> int:
        config = result.expectation_config
        return order.index((config.type, expectations.columns({"kwargs": config.kwargs})))

    outcome.results.sort(key=position)  # results come in any order
    return outcome


def _verdict(result: dict[str, Any]) -> Verdict:
    config = result["expectation_config"]
    columns = ",".join(expectations.columns(config))
    return Verdict(config["type"], columns, bool(result["success"]), _observed(result))


def _observed(result: dict[str, Any]) -> str:
    """Say what was observed, in the words of the native verdict."""
    details = result["result"]
    if missing := details.get("details", {}).get("mismatched", {}).get("missing"):
        return f"no {', '.join(missing)}"
    if "observed_value" in details:
        return str(details["observed_value"])
    if "unexpected_count" in details:
        count, rows = details["unexpected_count"], details.get("partial_unexpected_index_list", [])
        named = [{"row": row} if isinstance(row, int) else row for row in rows]
        return expectations.describe_shards(count, details["element_count"], named)
    info = result["exception_info"]  # sometimes under the name of a metric
    info = next((value for value in info.values() if isinstance(value, dict)), info)
    return "no answer, " + str(info.get("exception_message")).strip().split("\n")[0]


def _replace_folder(docs: Path, files: dict[str, str]) -> None:
    """Replace the folder `docs` atomically by one that holds `files`."""
    with disk.atomic_folder(docs) as fresh:
        for name, content in files.items():
            disk.write_bytes(fresh / name, content.encode())


def _page(
    spec: dict[str, Any],
    outcome: ExpectationSuiteValidationResult,
    failures: list[Failure],
) -> str:
    """Return the Data Docs page of `outcome`, without outside assets."""
    from great_expectations.render.renderer.page_renderer import (
        ValidationResultsPageRenderer as Renderer,
    )

    version = outcome.meta["great_expectations_version"]
    outcome.meta = {"batch_spec": {"data_asset_name": "counts per shard"}}
    for result in outcome.results:  # a traceback names folders of this machine
        for info in (result.exception_info, *result.exception_info.values()):
            if isinstance(info, dict) and info.get("exception_traceback"):
                info["exception_traceback"] = ""
    document = Renderer(run_info_at_end=True).render(outcome)
    document.sections.pop()  # the run's time, which `lineage/runs` holds; pages stay comparable
    # this type of page has no controls that need scripts
    html = _page_view().render(document, renderer_type="ValidationResults")
    return standalone_page(
        html,
        f"Validation of {spec['name']}",
        [
            f"{spec['notes']} Judged by Great Expectations {version}.",
            *map(str, failures),
        ],
    )


def standalone_page(html: str, title: str, lead: list[str]) -> str:
    """Return a page with `title`, the paragraphs `lead` and the body of `html`.

    Scripts, outside assets and outside links are removed; a small stylesheet is added.
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
_VOID_TAGS: Final = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"}
_DROPPED_TAGS: Final = {
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
_ANCHOR: Final = re.compile(r"#?section-\d+")  # other ids are random in each run
_KEPT_ATTRIBUTES: Final = {"class", "colspan", "hidden", "href", "id", "rowspan", "scope"}


class _Body(HTMLParser):
    """Copies the body of a page to `out`, without scripts, outside assets and outside links."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self._inside, self._depth = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._inside:
            self._depth += tag == self._inside
            return
        attributes = {name: value or "" for name, value in attrs if name in _KEPT_ATTRIBUTES}
        if tag in _DROPPED_TAGS or "navbar-expand-md" in attributes.get("class", ""):
            if tag not in _VOID_TAGS:
                self._inside, self._depth = tag, 1
        elif tag not in ("html", "body"):
            text = "".join(
                f' {name}="{escape(value)}"'
                for name, value in attributes.items()
                if name not in ("href", "id") or _ANCHOR.fullmatch(value)
            )
            self.out.append(f"<{tag}{text}>")

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._depth -= tag == self._inside
            self._inside = self._inside if self._depth else ""
        elif tag not in _VOID_TAGS | {"html", "body"}:
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.out.append(escape(data, quote=False))


if __name__ == "__main__":
    sys.exit(main())
