"""OpenLineage events of runs: their form, their transports; a failure never stops a run."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers.commands import ROOT
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from lineage import configuration
from lineage.openlineage import events, rollups
from lineage.openlineage.transports import Emitter, make_emitter, to_file, to_http
from lineage.reports import openlineage
from lineage.reports.facts import read_facts
from pipelines.engine import run_events as emission
from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from schemas.duties import Duties
from schemas.stages import STAGES

OWN = json.loads((ROOT / "schemas/openlineage/1-0-0.json").read_bytes())
RUN = events.Run(
    release="r",
    stage="release",
    run_id="0f" * 16,
    code_version="0.1.0+abc",
    started="2026-11-22T10:00:00+00:00",
    inputs=[("web:a.warc.gz", "1"), ("web:b.warc.gz", "2"), ("register", "3")],
    policy={
        "purpose": "pretraining",
        "asOf": "2026-11-22",
        "storageCountry": "KZ",
        "signals": "fetch",
        "paramsSha256": "a" * 64,
    },
)
ENDED = "2026-11-22T10:01:00+00:00"


def make_sources() -> list[rollups.SourceTerms]:
    """Return sources of two licences and three bases; the last one has no documents."""
    attribution = Duties(True, False)
    return [
        rollups.SourceTerms("a", "CC-BY-4.0", attribution, "consent", "2027-05-01", True),
        rollups.SourceTerms("b", "CC-BY-4.0", attribution, "consent", "2027-01-01", False),
        rollups.SourceTerms("c", "CC0-1.0", Duties(False, False), "statute", None, True),
        rollups.SourceTerms("none", "CC0-1.0", Duties(False, False), "licence", None, True),
    ]


def make_events() -> list[dict[str, Any]]:
    """Return the START, COMPLETE and FAIL events of one run."""
    documents = {"a": 2, "b": 3, "c": 4}
    facets = {
        "tamga_licence": events.licence_facet(RUN, rollups.licence_rows(make_sources(), documents)),
        "tamga_consent": events.consent_facet(RUN, rollups.basis_rows(make_sources(), documents)),
    }
    output = events.Output("4", 9, {"keep": 9, "drop": 1}, {"drop empty": 1}, facets)
    return [
        events.start(RUN),
        events.complete(RUN, ENDED, output),
        events.fail(RUN, ENDED, "StageError: " + "x" * 9000),
    ]


def facets(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and value of all facets of an event."""
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for dataset in (*event["inputs"], *event["outputs"]):
        for kind in ("facets", "outputFacets"):
            yield from dataset.get(kind, {}).items()


def check_own(event: dict[str, Any]) -> int:
    """Validate the `tamga_` facets of an event against their schema; return how many there are."""
    checked = 0
    for name, facet in facets(event):
        url, _, pointer = facet["_schemaURL"].partition("#")
        if url == OWN["$id"]:
            schema = {"$ref": f"#{pointer}", "$defs": OWN["$defs"]}
            jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.FormatChecker()
            ).validate(facet)
            assert name.startswith("tamga_")
            checked += 1
    return checked


def test_tamga_facets_pass_their_schema() -> None:
    assert [check_own(event) for event in make_events()] == [1, 3, 1]


def test_rollups_leave_out_sources_without_documents() -> None:
    complete = make_events()[1]["outputs"][0]["facets"]
    assert [
        (row["licence"], row["sources"], row["documents"])
        for row in complete["tamga_licence"]["licences"]
    ] == [("CC-BY-4.0", ["a", "b"], 5), ("CC0-1.0", ["c"], 4)]
    assert [
        (row["kind"], row["firstExpiry"], row["withoutEvidence"])
        for row in complete["tamga_consent"]["bases"]
    ] == [("consent", "2027-01-01", 1), ("statute", None, 0)]


def test_events_of_an_execution_share_a_run_id() -> None:
    start, complete, fail = make_events()
    assert start["run"]["runId"] == complete["run"]["runId"] == fail["run"]["runId"]
    repeated = events.start(events.Run(**{**vars(RUN), "started": ENDED}))
    assert repeated["run"]["runId"] != start["run"]["runId"]
    assert [d["name"] for d in start["inputs"]] == ["r/raw/web", "r/register"]
    assert start["inputs"][1]["facets"]["version"]["datasetVersion"] == "3"
    assert len(fail["run"]["facets"]["errorMessage"]["message"]) == events.MAX_MESSAGE_CHARS


CLASSES = {
    "version": ("dataset_version_dataset", "DatasetVersionDatasetFacet"),
    "jobType": ("job_type_job", "JobTypeJobFacet"),
    "outputStatistics": ("output_statistics_output_dataset", "OutputStatisticsOutputDatasetFacet"),
    "errorMessage": ("error_message_run", "ErrorMessageRunFacet"),
}


def check_published(event: dict[str, Any]) -> None:
    """Build the event from the client's classes, which are generated from the published schemas.

    A missing field, an unknown field or a value of another type raises.
    """
    base = import_module("openlineage.client.generated.base")
    serde = import_module("openlineage.client.serde").Serde
    for name, facet in facets(event):
        if name in CLASSES:
            module, kind = CLASSES[name]
            facet_class = getattr(import_module(f"openlineage.client.generated.{module}"), kind)
            values = {k: v for k, v in facet.items() if not k.startswith("_")}
            assert facet_class(**values)._schemaURL == facet["_schemaURL"]
    built = base.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=base.EventType(event["eventType"]),
        run=base.Run(**event["run"]),
        job=base.Job(**event["job"]),
        inputs=[base.InputDataset(**dataset) for dataset in event["inputs"]],
        outputs=[base.OutputDataset(**dataset) for dataset in event["outputs"]],
    )
    serialized = json.loads(serde.to_json(built))
    assert serialized["schemaURL"] == event["schemaURL"]
    assert serialized["run"] == event["run"] and serialized["job"] == event["job"]


def test_events_equal_those_of_the_client() -> None:
    pytest.importorskip("openlineage.client")
    for event in make_events():
        check_published(event)


#: A folder with the published schemas: `OpenLineage.json`, `facets/NAME.json`.
SCHEMAS = "TAMGA_OPENLINEAGE_SCHEMAS"


@pytest.fixture
def published() -> Registry[Any]:
    """Return the published schemas by URL; the version in a URL is ignored."""
    if not os.environ.get(SCHEMAS):
        pytest.skip(f"{SCHEMAS} does not name a folder with the published schemas of OpenLineage")
    folder = Path(os.environ[SCHEMAS])

    def retrieve(url: str) -> Resource[Any]:
        assert url.startswith(events.SPEC), url
        name = url.rpartition("/")[2]
        path = folder / name if name == "OpenLineage.json" else folder / "facets" / name
        return DRAFT202012.create_resource(json.loads(path.read_bytes()))

    return Registry(retrieve=retrieve)


def check_schemas(event: dict[str, Any], published: Registry[Any]) -> int:
    """Validate an event and its facets against the published schemas; return the number of facets.

    The minor version of a schema in the folder may differ from the version that the event names.
    """

    def validate(url: str, value: Any) -> None:
        document, _, pointer = url.partition("#")
        contents = published.get_or_retrieve(document).value.contents
        versions = [re.search(r"/(\d+)-\d+-\d+/", url) for url in (document, contents["$id"])]
        assert versions[0] and versions[1] and versions[0][1] == versions[1][1], contents["$id"]
        schema = {"$ref": f"{document}#{pointer}"}
        checker = jsonschema.FormatChecker()
        jsonschema.Draft202012Validator(
            schema, registry=published, format_checker=checker
        ).validate(value)

    validate(event["schemaURL"], event)
    validate(
        event["schemaURL"].partition("#")[0], event
    )  # the root schema: the event matches exactly one kind
    standard = [f for _, f in facets(event) if f["_schemaURL"].startswith(events.SPEC)]
    for facet in standard:
        validate(facet["_schemaURL"], facet)
    return len(standard)


def test_events_pass_the_published_schemas(published: Registry[Any], sample_run: Path) -> None:
    assert [check_schemas(event, published) for event in make_events()] == [3, 5, 4]
    replayed = openlineage.replay(read_facts(sample_run / "release/sample"))
    assert all(check_schemas(event, published) for event in replayed)


def test_the_published_schemas_refuse_an_event_without_a_field(published: Registry[Any]) -> None:
    for path in (("run", "runId"), ("eventTime",), ("job", "facets", "jobType", "integration")):
        event = make_events()[0]
        *parents, last = path
        at = event
        for name in parents:
            at = at[name]
        del at[last]
        with pytest.raises(jsonschema.ValidationError):
            check_schemas(event, published)


def test_runs_of_a_release_are_replayed(sample_run: Path) -> None:
    replayed = openlineage.replay(read_facts(sample_run / "release/sample"))
    assert [(e["job"]["name"], e["eventType"]) for e in replayed] == [
        (f"sample.{stage}", kind) for stage in STAGES for kind in ("START", "COMPLETE")
    ]
    assert all(check_own(event) for event in replayed)
    versions = {e["outputs"][0]["name"]: e["outputs"][0]["facets"].get("version") for e in replayed}
    used = next(d for d in replayed[2]["inputs"] if d["name"] == "sample/ingest")
    assert used["facets"]["version"] == versions["sample/ingest"]


class _Server(BaseHTTPRequestHandler):
    requests: list[tuple[str, dict[str, Any], str | None]]
    status = 201

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, json.loads(body), self.headers["Authorization"]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Server]]]:
    handler = type("Handler", (_Server,), {"requests": []})
    listening = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}/", handler
    listening.shutdown()
    listening.server_close()


def test_events_are_posted(server: tuple[str, type[_Server]]) -> None:
    url, handler = server
    to_http(url, api_key="secret")(make_events()[0])
    ((path, event, key),) = handler.requests
    assert (path, key) == ("/api/v1/lineage", "Bearer secret")
    assert event["eventType"] == "START"


def test_a_response_without_success_is_a_warning(server: tuple[str, type[_Server]]) -> None:
    url, handler = server
    handler.status = 500
    warnings: list[str] = []
    emitter = Emitter({"HTTP": to_http(url)}, warnings.append)
    for event in make_events():
        emitter.emit(lambda event=event: event)
    assert len(handler.requests) == 1 and len(warnings) == 1 and "HTTPError" in warnings[0]


def test_a_failed_transport_does_not_stop_the_others(tmp_path: Path) -> None:
    warnings: list[str] = []
    blocked = tmp_path / "file"
    blocked.write_text("")
    good = tmp_path / "new/events.jsonl"
    emitter = Emitter({"bad": to_file(blocked / "x"), "good": to_file(good)}, warnings.append)
    for event in make_events():
        emitter.emit(lambda event=event: event)
    lines = [json.loads(line) for line in good.read_text().splitlines()]
    assert [e["eventType"] for e in lines] == ["START", "COMPLETE", "FAIL"]
    assert len(warnings) == 1 and "bad" in warnings[0]


def test_an_error_while_building_an_event_is_a_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    emitter = Emitter({"file": to_file(tmp_path / "x")}, warnings.append)
    emitter.emit(lambda: {}["none"])
    assert len(warnings) == 1 and not emitter


def test_the_environment_names_or_disables_transports(tmp_path: Path) -> None:
    environment = {"OPENLINEAGE_URL": "http://127.0.0.1:9"}
    assert set(make_emitter(tmp_path / "f", None, environment).transports) == {"file", "HTTP"}
    assert not make_emitter(None, None, {})
    assert not make_emitter(tmp_path / "f", None, environment | {"OPENLINEAGE_DISABLED": "true"})
    assert not make_emitter(None, "file:///etc", {})


@pytest.fixture
def context(sample_home: Path, tmp_path: Path) -> Context:
    params = tmp_path / "params.yaml"
    text = (sample_home / "params.yaml").read_text()
    text = text.replace("register: register", f"register: {sample_home / 'register'}")
    params.write_text(text + "\nopenlineage: {file: events.jsonl}\n")
    return Context(*configuration.load_both(params))


STARTED_RUN = {
    "run_id": "0f" * 16,
    "stage": "release",
    "code_version": "0",
    "params_sha256": "a" * 64,
    "inputs": {"web:a@example.org.warc.gz": "1"},
    "started": "2026-11-22T10:00:00+00:00",
}


def read_events(context: Context) -> list[dict[str, Any]]:
    file = context.params.openlineage.file
    assert file is not None
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_stage_emits_start_and_complete(context: Context) -> None:
    totals = {"outcome": {"keep": 3}, "source": {"kz-bilik": 2, "ee-raamat": 1}}
    with emission.emit_events(context, STARTED_RUN) as tell:
        tell({"totals": totals, "files": {}})
    start, complete = read_events(context)
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert check_own(start) == 1 and check_own(complete) == 3
    licences = complete["outputs"][0]["facets"]["tamga_licence"]["licences"]
    assert [(row["licence"], row["documents"]) for row in licences] == [
        ("CC-BY-4.0", 2),
        ("CC0-1.0", 1),
    ]
    assert "a@example.org" not in json.dumps([start, complete])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StageError("counts do not add up"), "StageError: counts do not add up"),
        (ValueError("a library's message"), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=["ours", "library", "interrupt"],
)
def test_a_stage_that_fails_emits_fail(
    context: Context, error: BaseException, message: str
) -> None:
    with pytest.raises(type(error)), emission.emit_events(context, STARTED_RUN):
        raise error
    assert [e["eventType"] for e in read_events(context)] == ["START", "FAIL"]
    assert read_events(context)[1]["run"]["facets"]["errorMessage"]["message"] == message
