"""`tamga verify`: is a release, down to the last byte, what was signed?

Needs the release and the public half of the key that signs releases, and nothing else of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lineage import receipts
from lineage.signing import timestamps
from lineage.signing.keys import public_key
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import release_files
from lineage.storage.release_files import MANIFEST, STATEMENT
from lineage.storage.release_tables import NoRelease
from lineage.verify import Defect, defects
from schemas import command_line
from schemas.command_entry import with_exit_code
from schemas.errors import Usage

EPILOG = """examples:
  tamga verify release/sample
  tamga verify release/sample --key tamga.pub
  tamga verify release/sample --key tamga.pub --all --json
  tamga verify release/sample --key tamga.pub --tsa-certificate tsa-root.pem
  tamga verify --receipt release/receipts/w0001-0f3a5c0b9d1e.dsse.json --key tamga.pub

Exit codes: 0 it is what was signed, 1 it is not (the first defect is named), 2 wrong usage, no
release or no key."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(argv)
    key = public_key(options.key or _from_params(options.params))
    certificates = options.tsa_certificate
    trusted = timestamps.load_certificates(certificates) if certificates else []
    if options.receipt:
        return _told(options, options.receipt, receipts.defects(options.receipt, key), "", {})
    if options.release is None:
        raise Usage("name a RELEASE, or a --receipt")
    folder = options.release
    if not any((folder / name).exists() for name in (MANIFEST, STATEMENT)):
        raise NoRelease(f"{folder} holds no release")
    history = options.log or folder.absolute().parent / release_files.LOG
    chained = history if options.log or history.exists() else None
    chain = "chained" if chained else f"its chain was not checked: no {release_files.LOG} beside it"
    wrong = defects(folder, key, chained, trusted)
    stamp = ""
    if time := _time(folder):
        stamp = f"; its time stamp says {time}, and --tsa-certificate tells whether it holds"
        if trusted:
            stamp = f"; stamped {time} by an authority of those certificates"
    return _told(options, folder, wrong, f"; {chain}{stamp}", {"timestamp": time})


def _time(folder: Path) -> str | None:
    """What a release's time stamp says; None: there is none that can be read."""
    try:
        answer = (folder / release_files.TIMESTAMP).read_bytes()
        return timestamps.stamped_time(answer, (folder / STATEMENT).read_bytes())
    except (OSError, NoTimestamp):
        return None


def _told(
    options: argparse.Namespace,
    path: Path,
    wrong: Iterator[Defect],
    more: str,
    about: Mapping[str, Any],
) -> int:
    """Print what is wrong with a release or receipt, and as JSON what is known `about` it; the exit
    code."""
    found = list(wrong if options.all else islice(wrong, 1))
    if options.json:
        told = [{"file": d.file, "message": d.message} for d in found]
        kind = "receipt" if options.receipt else "release"
        print(json.dumps({kind: str(path), "sound": not found, "defects": told, **about}))
    else:
        for one in found:
            print(one)
        print(f"{path}: " + ("is NOT what was signed" if found else f"sound{more}"))
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("verify", __doc__, EPILOG)
    parser.add_argument(
        "release", nargs="?", type=Path, metavar="RELEASE", help="the release's folder"
    )
    parser.add_argument("--receipt", type=Path, help="a withdrawal's receipt, in its place")
    parser.add_argument("--key", type=Path, help="the public key (PEM); else what params name")
    command_line.add_params(parser)
    parser.add_argument(
        "--log", type=Path, help=f"the log; else {release_files.LOG} beside the release"
    )
    parser.add_argument(
        "--tsa-certificate",
        type=Path,
        metavar="FILE",
        help="certificates (PEM) of the time stamping authority whose stamp must be there and hold",
    )
    parser.add_argument("--all", action="store_true", help="name all defects, not the first alone")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _from_params(path: Path) -> Path:
    from lineage.configuration import required_params  # heavy

    about = required_params(path, "the public key by --key")
    return about.seal.public_key or about.work / "keys" / "signing.pub"


if __name__ == "__main__":
    sys.exit(main())
