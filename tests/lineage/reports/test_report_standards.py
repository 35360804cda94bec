"""The sample in other standards, read back by the tools of these standards if they are installed."""

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


def test_report_files_are_reproducible_from_the_release(facts: Facts) -> None:
    for name, content in files.contents(facts).items():
        assert (facts.folder / name).read_bytes() == content, name
        assert facts.manifest["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_croissant_names_every_data_file_with_its_digest(facts: Facts) -> None:
    description = croissant.description(facts)
    named = {f["contentUrl"]: f["sha256"] for f in description["distribution"] if "sha256" in f}
    digests = release_tables.file_digests(facts.folder)
    assert named == {name: digests[name] for name in digests if name.startswith("data/")}
    columns = [f["source"]["extract"]["column"] for f in description["recordSet"][0]["field"]]
    assert columns == DATA.names


def test_croissant_has_the_register_grants_as_offers(tmp_path: Path) -> None:
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


def test_spdx_relationships_refer_to_elements(facts: Facts) -> None:
    graph = spdx.document(facts)["@graph"]
    ids = [element["spdxId"] for element in graph if "spdxId" in element]
    assert len(ids) == len(set(ids))
    named = [
        target for element in graph if element["type"] == "Relationship" for target in element["to"]
    ]
    assert set(named) <= set(ids)
    package = next(element for element in graph if element["type"] == "dataset_DatasetPackage")
    assert package["dataset_datasetType"] == ["text"]
    assert package["dataset_hasSensitivePersonalInformation"] == "noAssertion"


def test_spdx_is_read_back_and_written_again(facts: Facts) -> None:
    model_of = pytest.importorskip("spdx_python_model")
    model, objects = model_of.load(facts.folder / "spdx.json")
    (package,) = objects.foreach_type(model.dataset_DatasetPackage)
    assert package.name == "sample" and package.spdxId == f"{facts.urn}:dataset"
    assert not objects.missing_ids
    expressions = {
        element.simplelicensing_licenseExpression
        for element in objects.foreach_type(model.simplelicensing_LicenseExpression)
    }
    assert expressions == {source.licence for source in facts.sources.values()}
    model.JSONLDSerializer().serialize_data(objects)  # it checks the cardinalities


def prov(facts: Facts, doc_id: str) -> dict[str, Any]:
    """Return the PROV document of a record, after a round trip through JSON."""
    document: dict[str, Any] = json.loads(files.json_bytes(prov_document.document(facts, doc_id)))
    return document


def test_prov_has_the_history_of_a_document(facts: Facts) -> None:
    doc_id = release_tables.read_table(facts.folder, "redactions")["doc_id"][0]
    document = prov(facts, doc_id)
    assert set(document["entity"]) >= {f"tamga:record-{doc_id}", f"tamga:document-{doc_id}"}
    assert len(document["activity"]) == 5 and len(document["wasInformedBy"]) == 4
    assert document["entity"][f"tamga:document-{doc_id}"]["tamga:redacted"] != "nothing"
    derived = document["wasDerivedFrom"]["_:d"]
    assert derived["prov:activity"] == f"tamga:step-privacy-{doc_id}"
    named = {
        value
        for kind, relations in document.items()
        if kind not in ("prefix", "entity", "activity", "agent")
        for relation in relations.values()
        for value in relation.values()
    }
    assert named <= {*document["entity"], *document["activity"], *document["agent"]}


def test_prov_of_refused_ungoverned_and_damaged_records(facts: Facts) -> None:
    decisions = release_tables.read_table(facts.folder, "decisions")
    for reason in ("opted-out:robots", "ungoverned", "unreadable"):
        doc_id = decisions.filter(decisions["reason"] == reason)["doc_id"][0]
        document = prov(facts, doc_id)
        assert "wasDerivedFrom" not in document
        (step,) = document["activity"].values()
        assert step["tamga:reason"] == reason
    with pytest.raises(prov_document.NoRecord):
        prov(facts, "0" * 32)


def test_prov_is_read_back(facts: Facts) -> None:
    model = pytest.importorskip("prov.model")
    doc_id = release_tables.read_table(facts.folder, "documents")["doc_id"][0]
    text = json.dumps(prov(facts, doc_id))
    parsed = model.ProvDocument.deserialize(content=text, format="json")
    assert len(list(parsed.get_records(model.ProvActivity))) == 5
