"""Truncated, wrong and hostile WARC files: damage never affects another record."""

from __future__ import annotations

import hashlib

import lz4.frame
import pytest
from backports import zstd
from helpers.commands import SHARED
from helpers.compressed import gzip_bytes
from helpers.warc_files import (
    ALL,
    INFO,
    MIB,
    PAGES,
    REQUEST,
    envelope_errors,
    gzip_members,
    http_response,
    page_record,
    scan_warc,
    sound_uris,
    warc_record,
    write_source,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lineage import evidence
from pipelines.engine.input_files import Container
from pipelines.ingest import scan as scanning
from pipelines.ingest.readers import warc
from pipelines.ingest.readers.records import ContainerSource
from pipelines.ingest.readers.registry import reader

DAMAGED = SHARED / "data/crawl/damaged"


@pytest.mark.parametrize(
    "pack",
    [
        gzip_members,
        lambda *r: b"".join(r),
        lambda *r: gzip_bytes(b"".join(r)),
        lambda *r: b"".join(map(zstd.compress, r)),
        lambda *r: b"".join(map(lz4.frame.compress, r)),
    ],
    ids=["members", "plain", "source-member", "zstd", "lz4"],
)
@pytest.mark.parametrize(
    "length", [99999999, 10**14, "9" * 5000, 20, 0, "-1", "0x20", None], ids=lambda v: str(v)[:9]
)
def test_a_wrong_length_affects_only_its_record(tmp_path, pack, length):
    liar = warc_record(http_response(b"a body that is long enough"), "urn:liar", length=length)
    envelopes = scan_warc(tmp_path, pack(INFO, *PAGES[:2], liar, *PAGES[2:]))
    assert sound_uris(envelopes) == ALL
    assert [e.uri for e in envelopes if e.error] == ["urn:liar"]
    assert envelope_errors(envelopes) == ["unreadable"]


def test_two_different_lengths_are_damage(tmp_path):
    twice = warc_record(http_response(b"x" * 50), extra="Content-Length: 30\r\n")
    assert envelope_errors(scan_warc(tmp_path, gzip_members(twice))) == ["unreadable"]


def test_a_length_without_final_zeros_is_damage(tmp_path):
    block = http_response(b"body\0\0")
    plain = warc_record(block, "urn:liar", length=len(block) - 2) + PAGES[0]
    envelopes = scan_warc(tmp_path, plain)
    assert sound_uris(envelopes) == ALL[:1] and envelope_errors(envelopes) == ["unreadable"]


def test_further_records_of_a_member_are_accounted_for(tmp_path):
    envelopes = scan_warc(
        tmp_path, gzip_members(PAGES[0], PAGES[1] + PAGES[2] + PAGES[3], PAGES[4])
    )
    assert sound_uris(envelopes) == [ALL[0], ALL[1], ALL[4]]
    assert envelope_errors(envelopes) == ["unreadable"] and "2 more" in str(envelopes[2].detail)


def test_a_request_does_not_hide_a_record_in_its_member(tmp_path):
    envelopes = scan_warc(tmp_path, gzip_members(PAGES[0], REQUEST + PAGES[1]))
    assert sound_uris(envelopes) == ALL[:1] and envelope_errors(envelopes) == ["unreadable"]


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
def test_a_truncated_end(tmp_path, cut):
    for pack in (gzip_members, lambda *r: b"".join(r)):
        whole = pack(*PAGES)
        envelopes = scan_warc(tmp_path, whole[:-cut] if pack is gzip_members else whole[: -cut - 4])
        assert sound_uris(envelopes) == ALL[:4] and envelope_errors(envelopes) == ["unreadable"]


@pytest.mark.parametrize("pack", [gzip_bytes, zstd.compress, lz4.frame.compress])
def test_a_truncated_stream_keeps_its_first_records(tmp_path, pack):
    body = hashlib.shake_256(b"noise").hexdigest(300_000)
    whole = pack(INFO + b"".join(PAGES) + page_record(9, body) + page_record(10, body))
    envelopes = scan_warc(tmp_path, whole[: len(whole) // 2])
    assert sound_uris(envelopes)[:5] == ALL and set(envelope_errors(envelopes)) == {"unreadable"}


def test_garbage_and_padding_between_members(tmp_path):
    first, second, third = (gzip_members(page) for page in PAGES[:3])
    envelopes = scan_warc(
        tmp_path,
        first
        + b"\0" * 5000
        + second
        + b"garbage\x1f\x8b\x08more"
        + third
        + gzip_bytes(b"")
        + b"\0" * 512,
    )
    assert sound_uris(envelopes) == ALL[:3] and envelope_errors(envelopes) == ["unreadable"]
    assert sound_uris(scan_warc(tmp_path, b"\0\0\0" + first + second)) == ALL[:2]
    assert (
        sound_uris(scan_warc(tmp_path, b"junk\r\n\r\n" + PAGES[0] + PAGES[1] + b"\0" * 512))
        == ALL[:2]
    )


def test_a_bomb_is_too_large_and_its_neighbours_are_not(tmp_path):
    limit = 100_000
    bomb = gzip_bytes(warc_record(http_response(b"\0" * 40 * MIB), "urn:bomb"))
    small = gzip_bytes(warc_record(http_response(b"a" * 2 * MIB), "urn:large"))
    for packed, uri in ((bomb, "urn:bomb"), (small, "urn:large")):
        container = gzip_members(PAGES[0]) + packed + gzip_members(*PAGES[1:])
        envelopes = scan_warc(tmp_path, container, limit)
        assert sound_uris(envelopes) == ALL
        assert [(e.uri, e.error) for e in envelopes if e.error] == [(uri, "too-large")]
        cut = next(e for e in envelopes if e.error)
        assert (tmp_path / "a.warc").read_bytes()[cut.offset :][: cut.length] == packed


def test_a_bomb_takes_no_memory():
    content, _, state = warc.members.inflate(memoryview(gzip_bytes(b"\0" * 64 * MIB)), 0, MIB)
    assert state == "endless" and len(content) <= 2 * MIB


def test_members_inside_members_take_linear_time(tmp_path):
    """A member seems to begin every few bytes and never ends."""
    block = 3 * 43 - 5
    unit = (
        warc.members.MAGIC
        + b"\0" * 6
        + b"\xff\0"
        + block.to_bytes(2, "little")
        + (block ^ 0xFFFF).to_bytes(2, "little")
        + b"WARC/1.0\r\n"
    )
    envelopes = scan_warc(tmp_path, unit.ljust(43, b"x") * 20_000)
    assert set(envelope_errors(envelopes)) == {"unreadable"}
    noise = b"".join(gzip_bytes(b"WARC/1.0\r\n%d" % n)[:-5] for n in range(5000))
    assert len(scan_warc(tmp_path, noise)) == 5000


def test_a_large_plain_record_and_a_payload_over_the_limit(tmp_path):
    limit = 100_000
    large = warc_record(http_response(b"a" * (2 * MIB)), "urn:large")
    above = warc_record(http_response(b"a" * (limit + 1)), "urn:above")
    for pack in (gzip_members, lambda *r: b"".join(r)):
        envelopes = scan_warc(tmp_path, pack(PAGES[0], large, above, PAGES[1]), limit)
        assert sound_uris(envelopes) == ALL[:2] and envelope_errors(envelopes) == ["too-large"] * 2


def test_headers_of_a_megabyte(tmp_path):
    wide = warc_record(http_response(b"x", "X: " + "y" * 900_000), "urn:wide")
    endless = warc_record(b"HTTP/1.1 200 OK\r\nX: " + b"y" * (2 * MIB), "urn:endless")
    head = warc_record(http_response(b"x"), "urn:head", extra="X: " + "y" * (2 * MIB) + "\r\n")
    many = warc_record(
        http_response(b"x", *["A: b"] * 50_000), "urn:many", extra="A: b\r\n" * 50_000
    )
    for pack in (gzip_members, lambda *r: b"".join(r)):
        envelopes = scan_warc(tmp_path, pack(wide, endless, head, many, PAGES[0]), 8 * MIB)
        assert sound_uris(envelopes) == ["urn:wide", "urn:many", ALL[0]]
        assert envelope_errors(envelopes) == ["unreadable"] * 2


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"\x1f\x8b\x08",
        b"\x1f\x8b\x08" * 5000,
        b"\0" * 4096,
        b"WARC/1.0",
        b"WARC/1.0\r\n\r\n" * 3,
        b"%PDF-1.7 " + bytes(range(256)) * 20,
        gzip_bytes(b"hi"),
        gzip_bytes(b""),
        b"\r\n\r\n",
    ],
)
def test_a_file_that_is_not_warc_is_one_row(tmp_path, content):
    envelopes = scan_warc(tmp_path, content)
    assert (
        envelopes
        and set(envelope_errors(envelopes)) == {"unreadable"}
        and not sound_uris(envelopes)
    )


def test_bodies_of_a_file_that_changed_have_errors(tmp_path):
    source = write_source(tmp_path / "a.warc", gzip_members(*PAGES))
    wanted = [(e.offset, e.length) for e in warc.scan(source)]
    (tmp_path / "a.warc").write_bytes(b"something else altogether")
    assert [b.error for b in warc.contents(source, wanted)] == ["unreadable"] * 5


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "drop", "insert", "cut"]), st.floats(0, 1), st.integers(1, 255)
    ),
    min_size=1,
    max_size=4,
)


def damage(
    whole: bytes, starts: list[int], edits: list[tuple[str, float, int]]
) -> tuple[bytes, set[int]]:
    """Return the damaged container, and the numbers of the members that an edit changed."""
    parts = [bytearray(whole[a:b]) for a, b in zip(starts, [*starts[1:], len(whole)], strict=True)]
    touched: set[int] = set()
    for kind, where, value in edits:
        number = min(int(where * len(parts)), len(parts) - 1)
        part = parts[number]
        at = int((where * len(parts) - number) * max(len(part) - 1, 0))
        touched.add(number)
        if kind == "flip" and part:
            part[at] ^= value
        elif kind == "drop":
            del part[at : at + value]
        elif kind == "insert":
            part[at:at] = bytes([value]) * (value % 7 + 1)
        elif kind == "cut":
            del part[at:]
            touched.update(range(number + 1, len(parts)))
            for later in parts[number + 1 :]:
                later.clear()
    return b"".join(parts), touched


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS, zipped=st.booleans())
@example(edits=[("flip", 0.0, 1)], zipped=True)
@example(edits=[("insert", 0.0, 31), ("flip", 0.99, 128)], zipped=True)
def test_damage_affects_only_the_damaged_records(tmp_path, edits, zipped):
    packed = [gzip_members(page) for page in PAGES] if zipped else list(PAGES)
    starts = [sum(map(len, packed[:n])) for n in range(len(packed))]
    whole, (broken, touched) = b"".join(packed), damage(b"".join(packed), starts, edits)

    def ids(content: bytes) -> list[tuple[str, str | None]]:
        path = tmp_path / "a.warc"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        container = Container("web", "warc", str(path), "a.warc", len(content), digest, ())
        table = scanning.build_index(scanning.Task("t", (container,)), MIB)
        return list(zip(table["base_id"].to_pylist(), table["error"].to_pylist(), strict=True))

    before, after = ids(whole), ids(broken)
    assert len({i for i, _ in after}) == len(after) or len(touched) > 1
    if zipped:  # members are independent; a plain record extends to the next sound source
        untouched = {i for n, (i, _) in enumerate(before) if n not in touched}
        assert untouched <= {i for i, error in after if not error}
    assert len(after) > 0 or not broken


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS)
def test_a_damaged_stream_never_raises(tmp_path, edits):
    whole = gzip_bytes(INFO + b"".join(PAGES))
    broken, _ = damage(whole, [0], edits)
    source = write_source(tmp_path / "a.warc", broken)
    envelopes = list(warc.scan(source))
    good = [(e.offset, e.length) for e in envelopes if not e.error]
    assert not any(body.error for body in warc.contents(source, good))
    assert len(good) == 5 or envelope_errors(envelopes) or not broken


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"",
            b"WARC/1.0\r\n",
            b"\x1f\x8b\x08",
            INFO,
            gzip_members(INFO),
            gzip_bytes(INFO + PAGES[0]),
        ]
    ),
)
@example(b"]*M\x18", b"")
def test_any_bytes(tmp_path, content, before):
    source = write_source(tmp_path / "a.warc", before + content)
    for envelope in warc.scan(source):
        assert envelope.error in (None, "unreadable", "too-large")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.binary(max_size=100))
def test_any_block_inside_a_sound_envelope(tmp_path, block, head):
    envelopes = scan_warc(
        tmp_path,
        gzip_members(
            warc_record(block),
            warc_record(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"),
            warc_record(block, kind="resource", content_type="text/plain"),
        ),
    )
    assert len(envelopes) == 3


#: Each file with its numbers of readable records and of damaged ones.
KNOWN = {
    "bad.arc": (0, 4),  # lengths of -1 and abc; source of 1 without HTTP
    "block-sized-records.warc": (0, 3),  # of a type unknown to WARC
    "block-sized-records.warc.gz": (0, 3),
    "block-sized-records.warc.lz4": (0, 3),
    "clipped.warc.gz": (0, 1),
    "clueweb-quirk.warc.gz": (29, 0),  # WARC 0.18
    "example-bad-non-chunked.warc.gz": (2, 0),
    "example-digest.warc": (0, 0),  # only requests
    "example-iana.org-chunked.warc": (1, 0),
    "example-resource.warc.gz": (1, 0),
    "example-space-in-target-uri.warc.gz": (1, 0),
    "example-space-in-url.arc": (0, 1),  # its line ends were changed: 12 bytes are missing
    "example-trunc.warc": (0, 1),
    "example-wget-bad-target-uri.warc.gz": (3, 0),
    "example-wrong-chunks.warc.gz": (1, 0),  # cut into members at any byte
    "example.arc": (1, 0),
    "example.arc.gz": (1, 0),
    "example.warc": (2, 0),
    "example.warc.gz": (2, 0),
    "post-test.warc.gz": (3, 0),
    "test.warc.gz": (20, 0),
    "unparsable-date.warc.gz": (1, 0),
    "warcfile.warc": (16, 0),
    "warcfile.warc.gz": (16, 0),
    "warcfile.warc.lz4": (16, 0),
}


@pytest.mark.skipif(not DAMAGED.is_dir(), reason="no shared data")
@pytest.mark.parametrize("name", KNOWN)
def test_real_damaged_files(name):
    path = DAMAGED / name
    source = ContainerSource(path, path.name, {}, 64 * MIB)
    read = reader("arc" if ".arc" in name else "warc")
    envelopes = list(read.scan(source))
    good = [e for e in envelopes if not e.error]
    assert (len(good), len(envelopes) - len(good)) == KNOWN[name]
    bodies = read.contents(source, [(e.offset, e.length) for e in good])
    assert not any(body.error for body in bodies)
    for envelope in good:
        row = {k: getattr(envelope, k) for k in ("locator", "offset", "length", "payload_sha256")}
        assert evidence.check(row | {"container": name}, DAMAGED).payload_matches
