"""A release's time stamp, asked for where the parameters name an authority."""

from __future__ import annotations

from pathlib import Path

from lineage import withdrawal_scope
from lineage.signing import dsse, keys, timestamps
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import disk, release_files
from schemas.params import Params


def stamp_release(params: Params, root: Path) -> list[str]:
    """Ask for a time stamp over the statement of the release in `root`.

    Returns:
      The paths of what was written; none where no authority is named.

    Raises:
      lineage.signing.timestamps.NoTimestamp: where it does not give one.
      lineage.signing.keys.BadKey: where the release's key is not there.
    """
    if params.seal.timestamp_url is None:
        return []
    envelope = (root / release_files.STATEMENT).read_bytes()
    answer = timestamps.request_timestamp(params.seal.timestamp_url, envelope)
    key = keys.signing_key(params.seal.signing_key, params.work / "keys")
    disk.write_bytes(root / release_files.TIMESTAMP, answer)
    disk.write_bytes(root / release_files.STAMPED, timestamps.sign_answer(answer, envelope, key))
    return [release_files.TIMESTAMP, release_files.STAMPED]


def stamp_missing(params: Params) -> dict[str, str]:
    """Stamp the releases whose statements require it and that have no stamp yet.

    Returns:
      Those that are left without: name -> why.

    Raises:
      lineage.signing.keys.BadKey: where the releases' key is not there.
    """
    key = keys.signing_key(params.seal.signing_key, params.work / "keys").public_key()
    left = {}
    for release in withdrawal_scope.release_folders(params.releases, params.root):
        if (release.folder / release_files.STAMPED).exists():
            continue
        try:
            signed = dsse.open_envelope(
                (release.folder / release_files.STATEMENT).read_bytes(), key
            )
            if signed["predicate"].get("timestamp") == "required" and not stamp_release(
                params, release.folder
            ):
                left[release.folder.name] = "name an authority by seal.timestamp_url"
        except NoTimestamp as error:
            left[release.folder.name] = str(error)
        except (OSError, dsse.BadEnvelope, LookupError):
            continue  # `tamga verify` tells what is wrong with it
    return left
