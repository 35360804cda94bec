"""`tamga verify`: is a release, down to the last byte, what was signed?

Needs the release and the public half of the key that signs releases, and nothing else of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lineage import log
from lineage.keys import BadKey, public_key
from lineage.verify import MANIFEST, STATEMENT, Defect, defects
from schemas import params
from schemas.errors import Invalid

EPILOG = """examples:
  tamga verify release/sample
  tamga verify release/sample --key tamga.pub
  tamga verify release/sample --key tamga.pub --all --json

Exit codes: 0 it is what was signed, 1 it is not (the first defect is named), 2 wrong usage, no
release or no key."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        key_file = options.key or _from_params(options.params)
        key = public_key(key_file)
    except (Invalid, BadKey) as error:
        print(error, file=sys.stderr)
        return 2
    folder = options.release
    if not any((folder / name).exists() for name in (MANIFEST, STATEMENT)):
        print(f"{folder} holds no release", file=sys.stderr)
        return 2
    history = options.log or folder.absolute().parent / log.NAME
    chained = history if options.log or history.exists() else None
    found: list[Defect] = []
    for one in defects(folder, key, chained):
        found.append(one)
        if not options.all:
            break
    if options.json:
        told = [{"file": d.file, "message": d.message} for d in found]
        print(json.dumps({"release": str(folder), "sound": not found, "defects": told}))
    else:
        for one in found:
            print(one)
        chain = "chained" if chained else f"its chain was not checked: no {log.NAME} beside it"
        print(f"{folder}: " + ("is NOT what was signed" if found else f"sound; {chain}"))
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tamga verify",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("release", type=Path, metavar="RELEASE", help="the release's folder")
    parser.add_argument("--key", type=Path, help="the public key (PEM); else what params name")
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="(default: %(default)s)"
    )
    parser.add_argument("--log", type=Path, help=f"the log; else {log.NAME} beside the release")
    parser.add_argument("--all", action="store_true", help="name all defects, not the first alone")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _from_params(path: Path) -> Path:
    if not path.is_file():
        raise BadKey(f"name the public key by --key: {path} is not there to name it")
    about = params.load(path)
    return about.seal.public_key or about.work / "keys" / "signing.pub"


if __name__ == "__main__":
    sys.exit(main())
