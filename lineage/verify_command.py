"""`tamga verify`: check that each byte of a release is what was signed.

It needs only the release and the public key of releases.
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

Exit codes: 0 it is what was signed, 1 it is not (the first defect is named), 2 wrong usage, or
no release or key."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(argv)
    key = public_key(options.key or _from_params(options.params))
    certificates = options.tsa_certificate
    trusted = timestamps.load_certificates(certificates) if certificates else []
    if options.receipt:
        return _report(options, options.receipt, receipts.defects(options.receipt, key), "", {})
    if options.release is None:
        raise Usage("name a RELEASE, or a --receipt")
    folder = options.release
    if not any((folder / name).exists() for name in (MANIFEST, STATEMENT)):
        raise NoRelease(f"{folder} holds no release")
    history = options.log or folder.absolute().parent / release_files.LOG
    chained = history if options.log or history.exists() else None
    chain = "chained" if chained else f"the log was not checked: no {release_files.LOG} beside it"
    wrong = defects(folder, key, chained, trusted)
    stamp = ""
    if time := _time(folder):
        stamp = f"; its time stamp says {time}, and --tsa-certificate verifies it"
        if trusted:
            stamp = f"; stamped {time} by an authority with one of these certificates"
    return _report(options, folder, wrong, f"; {chain}{stamp}", {"timestamp": time})


def _time(folder: Path) -> str | None:
    """The time in a release's time stamp; None: it has none, or an unreadable one."""
    try:
        answer = (folder / release_files.TIMESTAMP).read_bytes()
        return timestamps.stamped_time(answer, (folder / STATEMENT).read_bytes())
    except (OSError, NoTimestamp):
        return None


def _report(
    options: argparse.Namespace,
    path: Path,
    wrong: Iterator[Defect],
    more: str,
    about: Mapping[str, Any],
) -> int:
    """Print the defects of a release or receipt; return the exit code.

    Args:
      options: of the command line.
      path: the release or receipt.
      wrong: its defects.
      more: what follows `sound`.
      about: further keys of the JSON value.
    """
    listed = list(wrong if options.all else islice(wrong, 1))
    if options.json:
        entries = [{"file": defect.file, "message": defect.message} for defect in listed]
        kind = "receipt" if options.receipt else "release"
        print(json.dumps({kind: str(path), "sound": not listed, "defects": entries, **about}))
    else:
        for defect in listed:
            print(defect)
        print(f"{path}: " + ("is NOT what was signed" if listed else f"sound{more}"))
    return 1 if listed else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser("verify", __doc__, EPILOG)
    parser.add_argument(
        "release", nargs="?", type=Path, metavar="RELEASE", help="the release's folder"
    )
    parser.add_argument("--receipt", type=Path, help="a withdrawal's receipt, instead of a release")
    parser.add_argument("--key", type=Path, help="the public key (PEM; default: from params)")
    command_line.add_params(parser)
    parser.add_argument(
        "--log",
        type=Path,
        help=f"the log of releases (default: {release_files.LOG} beside the release)",
    )
    parser.add_argument(
        "--tsa-certificate",
        type=Path,
        metavar="FILE",
        help="certificates (PEM) of a time stamping authority; its time stamp must be there and valid",
    )
    parser.add_argument("--all", action="store_true", help="name all defects, not only the first")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _from_params(path: Path) -> Path:
    from lineage.configuration import required_params  # heavy

    about = required_params(path, "the public key by --key")
    return about.seal.public_key or about.work / "keys" / "signing.pub"


if __name__ == "__main__":
    sys.exit(main())
