"""The sample in others' standards, read back by their own tools where these are installed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from helpers import release_tables
from helpers.report_release import make_entry, write_release

from lineage.reports import croissant, files, prov_document, spdx
from lineage.reports.facts import Facts, read_facts
from schemas.tables import DATA


@pytest.fixture(scope="module")
def facts(sample_run: Path) -> Facts:
    return read_facts(sample_run / "release/sample")


def test_a_release_holds_its_reports_as_they_would_be_made_again(facts: Facts) -> None:
    for name, content in files.contents(facts).items():
        assert (facts.folder / name).read_bytes() == content, name
        assert facts.manifest["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_croissant_names_every_data_file_with_its_digest(facts: Facts) -> None:
    told = croissant.description(facts)
    named = {f["contentUrl"]: f["sha256"] for f in told["distribution"] if "sha256" in f}
    here = release_tables.file_digests(facts.folder)
    assert named == {name: here[name] for name in here if name.startswith("data/")}
    columns = [f["source"]["extract"]["column"] for f in told["recordSet"][0]["field"]]
    assert columns == DATA.names


def test_croissant_says_what_the_register_grants(tmp_path: Path) -> None:
    basis = make_entry("a", "CC-BY-SA-4.0")["basis"] | {"expires_on": "2027-01-01"}
    facts = write_release(
        tmp_path,
        [make_entry("a", "CC-BY-SA-4.0", basis=basis, residency=["KZ"])],
        [{"source_id": "a", "uri": "https://a.example/"}],
    )
    (offer,) = croissant.description(facts)["usageInfo"]
    permission = offer["odrl:permission"]
    assert "odrl:Offer" in offer["@type"]
    assert [
        (c["odrl:leftOperand"]["@id"], c["odrl:rightOperand"])
        for c in permission["odrl:constraint"]
    ] == [
        ("odrl:purpose", ["pretraining"]),
        ("odrl:dateTime", "2027-01-01"),
        ("odrl:spatial", ["KZ"]),
    ]
    duties = [d["odrl:action"]["@id"] for d in permission["odrl:duty"]]
    assert duties == ["cc:Attribution", "cc:ShareAlike"]


def test_mlcroissant_validates_and_reads_every_document(facts: Facts) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(str(facts.folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    ids = {row["documents/doc_id"].decode() for row in dataset.records("documents")}
    assert ids == set(release_tables.read_table(facts.folder, "data")["doc_id"])


def test_spdx_elements_name_each_other(facts: Facts) -> None:
    graph = spdx.document(facts)["@graph"]
    ids = [one["spdxId"] for one in graph if "spdxId" in one]
    assert len(ids) == len(set(ids))
    named = [end for one in graph if one["type"] == "Relationship" for end in one["to"]]
    assert set(named) <= set(ids)
    package = next(one for one in graph if one["type"] == "dataset_DatasetPackage")
    assert package["dataset_datasetType"] == ["text"]
    assert package["dataset_hasSensitivePersonalInformation"] == "noAssertion"


def test_spdx_is_read_back_and_written_again(facts: Facts) -> None:
    model_of = pytest.importorskip("spdx_python_model")
    model, found = model_of.load(facts.folder / "spdx.json")
    (package,) = found.foreach_type(model.dataset_DatasetPackage)
    assert package.name == "sample" and package.spdxId == f"{facts.urn}:dataset"
    assert not found.missing_ids
    expressions = {
        one.simplelicensing_licenseExpression
        for one in found.foreach_type(model.simplelicensing_LicenseExpression)
    }
    assert expressions == {source.licence for source in facts.sources.values()}
    model.JSONLDSerializer().serialize_data(found)  # where its counts are checked


def prov(facts: Facts, doc_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(files.json_bytes(prov_document.document(facts, doc_id)))
    return told


def test_prov_tells_the_way_of_a_document(facts: Facts) -> None:
    doc_id = release_tables.read_table(facts.folder, "redactions")["doc_id"][0]
    told = prov(facts, doc_id)
    assert set(told["entity"]) >= {f"tamga:record-{doc_id}", f"tamga:document-{doc_id}"}
    assert len(told["activity"]) == 5 and len(told["wasInformedBy"]) == 4
    assert told["entity"][f"tamga:document-{doc_id}"]["tamga:redacted"] != "nothing"
    derived = told["wasDerivedFrom"]["_:d"]
    assert derived["prov:activity"] == f"tamga:step-privacy-{doc_id}"
    named = {
        value
        for kind, relations in told.items()
        if kind not in ("prefix", "entity", "activity", "agent")
        for relation in relations.values()
        for value in relation.values()
    }
    assert named <= {*told["entity"], *told["activity"], *told["agent"]}


def test_prov_tells_of_a_refusal_and_of_what_nobody_governs(facts: Facts) -> None:
    decisions = release_tables.read_table(facts.folder, "decisions")
    for reason in ("opted-out:robots", "ungoverned", "unreadable"):
        doc_id = decisions.filter(decisions["reason"] == reason)["doc_id"][0]
        told = prov(facts, doc_id)
        assert "wasDerivedFrom" not in told
        (step,) = told["activity"].values()
        assert step["tamga:reason"] == reason
    with pytest.raises(prov_document.NoRecord):
        prov(facts, "0" * 32)


def test_prov_is_read_back(facts: Facts) -> None:
    model = pytest.importorskip("prov.model")
    doc_id = release_tables.read_table(facts.folder, "documents")["doc_id"][0]
    text = json.dumps(prov(facts, doc_id))
    found = model.ProvDocument.deserialize(content=text, format="json")
    assert len(list(found.get_records(model.ProvActivity))) == 5
