"""Verify that a Tamga release is what was signed; needs only Python and `cryptography`.

    python verify_release.py RELEASE PUBLIC_KEY.pem

Checks the signature, the digest of each file and the Merkle root.  Exits with 0 if all are correct,
otherwise with 1 and the first defect.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def statement(path, key, about):
    """Verify a signed statement; return it and its digests.  Only one form of it is valid."""
    fields = json.loads(envelope := path.read_bytes())
    payload = base64.b64decode(fields["payload"], validate=True)
    signature = base64.b64decode(fields["signatures"][0]["sig"], validate=True)
    kind = "application/vnd.in-toto+json"
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    signed = {"keyid": hashlib.sha256(raw).hexdigest(), "sig": fields["signatures"][0]["sig"]}
    wanted = {"payload": fields["payload"], "payloadType": kind, "signatures": [signed]}
    assert canonical(wanted) + b"\n" == envelope, f"{path.name} is not in its canonical form"
    assert base64.b64encode(payload).decode() == fields["payload"], "the payload is not canonical"
    assert base64.b64encode(signature).decode() == signed["sig"], "the signature is not canonical"
    key.verify(signature, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
    signed = json.loads(payload)
    assert signed["predicateType"] == f"urn:tamga:{about}:v1", "the statement is of another kind"
    return signed, {file["name"]: file["digest"]["sha256"] for file in signed["subject"]}


def root(hashes):
    """The Merkle root of RFC 6962."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        odd = hashes[-1:] if len(hashes) % 2 else []
        hashes = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in pairs] + odd
    return (hashes[0] if hashes else hashlib.sha256(b"").digest()).hex()


def verify(release, key):
    signed, digests = statement(release / "manifest.dsse.json", key, "release")
    stamp, wanted = release / "seal/timestamp.dsse.json", signed["predicate"].get("timestamp")
    assert stamp.exists() or wanted != "required", "the required time stamp is missing"
    digests |= statement(stamp, key, "timestamp")[1] if stamp.exists() else {}
    content = (release / "manifest.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == digests["manifest.json"], "manifest.json differs"
    digests |= {name: about["sha256"] for name, about in json.loads(content)["files"].items()}
    for name, digest in sorted(digests.items()):
        with (release / name).open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        assert actual == digest, f"{name} does not have the bytes that were signed"
    present = {p.relative_to(release).as_posix() for p in release.rglob("*") if not p.is_dir()}
    foreign = present - {*digests, "manifest.dsse.json", "seal/timestamp.dsse.json"}
    assert not foreign, f"{min(foreign)} does not belong to the release"
    leaves, tree = (release / "seal/leaves").read_bytes(), signed["predicate"]["merkle"]
    assert len(leaves) == 32 * int(tree["size"]), "seal/leaves is cut off"
    hashes = [leaves[i : i + 32] for i in range(0, len(leaves), 32)]
    assert root(hashes) == tree["root"], "seal/leaves has another Merkle root"


if __name__ == "__main__":
    try:
        public = serialization.load_pem_public_key(Path(sys.argv[2]).read_bytes())
        verify(Path(sys.argv[1]), public)
    except InvalidSignature:
        sys.exit("the signature is not valid")
    except (AssertionError, OSError, ValueError, LookupError, TypeError) as error:
        sys.exit(f"not what was signed: {error}")
    print("sound")
