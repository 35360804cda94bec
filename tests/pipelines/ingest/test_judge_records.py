"""The order in which a record is judged, and its evidence in the ledger."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections import Counter
from datetime import date

import polars as pl
import pytest
from helpers.compressed import gzip_bytes
from helpers.judged_records import (
    ROBOTS,
    WORDS,
    judge_containers,
    make_judge,
    warc_member,
    write_container,
)

from pipelines.engine import decisions
from schemas.reasons import REASONS
from schemas.register import Withdrawal

RSL = b"<rsl><content url='/'><license><prohibits type='usage'>all</prohibits></license></content></rsl>"


RSL_LINK = b"<link rel=license type='application/rsl+xml' href='https://good.kz/none.xml'>"


BY_NC = b"""<script type="application/ld+json">{"@type": "NewsArticle",
 "license": "https://creativecommons.org/licenses/by-nc/4.0/deed.ru"}</script>"""


CASES: list[tuple[bytes, str | None]] = [
    # the envelope comes first, for any host
    (warc_member("https://nobody.kz/1", length=99999), "unreadable"),
    (warc_member("https://old.kz/1", length=99999), "unreadable"),
    # then the register, before status and media type
    (warc_member("https://nobody.kz/2", status=404), "ungoverned"),
    (warc_member("https://old.kz/2", status=404, media_type="application/pdf"), "consent-expired"),
    (warc_member("https://old.kz/private/2"), "consent-expired"),
    (warc_member("https://good.kz/private/2", status=404), "opted-out:robots"),
    (warc_member("https://good.kz/private/3", media_type="image/png"), "opted-out:robots"),
    # signal captures
    (warc_member("https://good.kz/robots.txt", ROBOTS, media_type="text/plain"), "signal"),
    (warc_member("https://good.kz/robots.txt?", b"", status=404), "http-status"),
    (warc_member("https://nobody.kz/robots.txt", ROBOTS), "ungoverned"),
    (warc_member("https://good.kz/.well-known/tdmrep.json", b"[]", status=404), "signal"),
    (warc_member("https://good.kz/ai.txt", b"User-agent: *", media_type="text/plain"), "signal"),
    (warc_member("https://good.kz/l", RSL, media_type="application/rsl+xml"), "signal"),
    (warc_member("https://good.kz/license.xml", b"<?xml version='1.0'?>" + RSL), "signal"),
    (warc_member("https://good.kz/l.xml", b"<rss/>", media_type="text/xml"), "empty"),
    # status and media type, before headers and page
    (
        warc_member("https://good.kz/4", WORDS.encode(), "X-Robots-Tag: noai", status=500),
        "http-status",
    ),
    (
        warc_member("https://good.kz/5", b"GIF89a", "X-Robots-Tag: noai", media_type="image/gif"),
        "unsupported-media-type",
    ),
    (warc_member("https://good.kz/5a", media_type="Aliya Bekova"), "unsupported-media-type"),
    (warc_member("https://good.kz/6", WORDS.encode(), "X-Robots-Tag: noai"), "opted-out:noai"),
    (
        warc_member("https://good.kz/7", b"<meta name=robots content=noai>" + WORDS.encode()),
        "opted-out:noai",
    ),
    (warc_member("https://good.kz/8", WORDS.encode(), "tdm-reservation: 1"), "opted-out:tdmrep"),
    (warc_member("https://good.kz/8a", RSL_LINK + WORDS.encode()), "opted-out:rsl"),
    (warc_member("https://good.kz/8b", BY_NC + WORDS.encode()), "licence-conflict"),
    (warc_member("https://deal.kz/8c", RSL_LINK + BY_NC + WORDS.encode()), None),
    # after that the body is read
    (warc_member("https://good.kz/9", b"<html><body></body></html>"), "empty"),
    (warc_member("https://good.kz/10", b""), "empty"),
    (warc_member("https://good.kz/11", b"nothing", media_type=None), "unsupported-media-type"),
    (warc_member("https://good.kz/12", b"\x07x", "Content-Encoding: br"), "undecodable"),
    (
        warc_member("https://good.kz/13", gzip_bytes(b"a" * (2 << 20)), "Content-Encoding: gzip"),
        "too-large",
    ),
    (warc_member("https://good.kz/14", b"a" * (1 << 20) + b"b"), "too-large"),
    (warc_member("https://good.kz/15"), None),
    (warc_member("https://sub.good.kz/16"), None),
    (warc_member("https://good.kz/17", media_type="Text/HTML; charset=utf-8"), None),
    (warc_member("https://good.kz/18", gzip_bytes(WORDS.encode()), "Content-Encoding: gzip"), None),
    (warc_member("https://deal.kz/private/19", WORDS.encode(), "X-Robots-Tag: noai"), None),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_order_of_judgement(tmp_path, number):
    raw, reason = CASES[number]
    _, decided, documents = judge_containers(make_judge(), write_container(tmp_path / "a", raw))
    assert decided["reason"].to_list() == [reason]
    assert decided["outcome"][0] == next(
        (o for o in REASONS if reason and decisions.is_known_reason(o, reason)), "keep"
    )
    assert documents.height == (reason is None)


def test_all_cases_in_one_container(tmp_path):
    torn = warc_member("https://good.kz/torn")[:-20]
    web = write_container(tmp_path / "web", b"".join(raw for raw, _ in CASES) + torn)
    records, decided, documents = judge_containers(make_judge(), web)
    expected = Counter(reason for _, reason in CASES) + Counter(["unreadable"])
    assert Counter(decided["reason"]) == expected
    assert set(records["container"]) == {"raw/web"}
    assert set(records["container_sha256"]) == {web.sha256}
    assert documents["text"].unique().to_list() == [WORDS[3:-4]]
    spans = records.sort("offset").select("offset", "length").rows()
    assert [o for o, _ in spans] == [0, *(o + n for o, n in spans[:-1])]
    assert sum(n for _, n in spans) == web.size  # each byte is in one record


def test_the_evidence_holds_what_was_observed(tmp_path):
    raw = b"".join(
        [
            warc_member("https://good.kz/4", status=503),
            warc_member("https://good.kz/1"),
            warc_member("https://nobody.kz/secret", length=99999),
        ]
    )
    _, decided, _ = judge_containers(make_judge(), write_container(tmp_path / "a", raw))
    evidence = {r["reason"]: json.loads(r["evidence"]) for r in decided.iter_rows(named=True)}
    policy = {
        "pack": "KZ", "version": "2026.11", "against": [], "enforce": "warn",
        "storage_country": "KZ",
    }  # fmt: skip
    assert evidence["http-status"] == {"status": 503, "policy": policy}
    assert evidence[None]["policy"] == policy and "policy" not in evidence["unreadable"]
    assert evidence[None]["source_id"] == "good" and evidence[None]["evidence_sha256"] == "f" * 64
    assert "99999" in evidence["unreadable"]["detail"]
    assert "secret" not in decided.filter(pl.col("reason") == "unreadable")["evidence"][0]


def test_a_malformed_media_type_is_stored_nowhere(tmp_path):
    raw = warc_member("https://good.kz/1", media_type="Aliya Bekova")
    records, decided, _ = judge_containers(make_judge(), write_container(tmp_path / "a", raw))
    assert records["media_type"].to_list() == [None]
    assert decided["reason"].to_list() == ["unsupported-media-type"]
    assert json.loads(decided["evidence"][0]).keys() == {"policy"}


def test_a_withdrawn_text_is_refused_by_its_digest(tmp_path):
    digest = hashlib.sha256(WORDS[3:-4].encode()).hexdigest()
    withdrawals = (Withdrawal("text", digest, date(2026, 11, 1), "request"),)
    _, decided, _ = judge_containers(
        make_judge(withdrawals=withdrawals),
        write_container(
            tmp_path / "a",
            warc_member("https://good.kz/1") + warc_member("https://good.kz/2", b"<p>Other</p>"),
        ),
    )
    assert sorted(decided["reason"], key=str) == [None, "withdrawn"]


def test_uris_with_personal_data_are_redacted(tmp_path):
    raw = warc_member("https://good.kz/u?mail=aigul.test@example.org") + warc_member(
        "https://good.kz/plain"
    )
    records, decided, documents = judge_containers(
        make_judge(), write_container(tmp_path / "a", raw)
    )
    for frame in (records, decided, documents):
        assert not any("aigul" in str(uri) for uri in frame["uri"])
        assert "https://good.kz/plain" in frame["uri"].to_list()
    assert records["uri_hmac"].null_count() == 1
    keyed = hmac.new(b"key", b"https://good.kz/u?mail=aigul.test@example.org", "sha256")
    assert keyed.hexdigest() in records["uri_hmac"].to_list()


def test_a_revisit_is_dropped_and_names_its_original(tmp_path):
    fields = (
        b"WARC-Refers-To-Target-URI: https://good.kz/ann@example.org\r\n"
        b"WARC-Payload-Digest: sha1:ABC\r\nWARC-Refers-To-Date: Ann\r\nContent-Type: application/http\r\n"
    )

    def revisit(uri: str, status: int) -> bytes:
        raw = gzip.decompress(warc_member(uri, b"", status=status))
        raw = raw.replace(b"WARC-Type: response", b"WARC-Type: revisit")
        return gzip_bytes(raw.replace(b"Content-Type: application/http\r\n", fields, 1))

    uris = ["https://good.kz/1", "https://good.kz/2", "https://good.kz/3", "https://none.kz/4"]
    raw = b"".join(map(revisit, uris, (200, 304, 404, 200)))
    _, decided, _ = judge_containers(make_judge(), write_container(tmp_path / "a", raw))
    outcomes = dict(
        zip(decided["uri"], decided.select("outcome", "reason").iter_rows(), strict=True)
    )
    assert [outcomes[u] for u in uris] == [
        ("drop", "empty"), ("drop", "empty"), ("damaged", "http-status"), ("refuse", "ungoverned")
    ]  # fmt: skip
    row = decided.filter(pl.col("uri") == uris[0]).row(0, named=True)
    assert row["rule"] == "revisit"
    evidence = json.loads(row["evidence"])
    assert evidence.pop("policy")["pack"] == "KZ"
    assert evidence == {
        "refers_to_uri": "https://good.kz/<EMAIL_ADDRESS>",
        "payload_digest": "sha1:ABC",
    }
