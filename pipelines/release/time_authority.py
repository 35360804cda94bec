"""Request the time stamp of a release, if the parameters name an authority."""

from __future__ import annotations

from pathlib import Path

from lineage import withdrawal_scope
from lineage.signing import dsse, keys, timestamps
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import disk, release_files
from schemas.params import Params


def stamp_release(params: Params, root: Path) -> list[str]:
    """Request a time stamp over the statement of the release in `root`.

    Returns:
      The paths of the written files; none if no authority is named.

    Raises:
      lineage.signing.timestamps.NoTimestamp: if the authority gives no valid time stamp.
      lineage.signing.keys.BadKey: if the release's key is missing.
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
    """Stamp the releases whose statement requires a time stamp and that have none.

    Returns:
      The releases that still have no stamp: name -> reason.

    Raises:
      lineage.signing.keys.BadKey: if the releases' key is missing.
    """
    key = keys.signing_key(params.seal.signing_key, params.work / "keys").public_key()
    unstamped = {}
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
                unstamped[release.folder.name] = "name an authority by seal.timestamp_url"
        except NoTimestamp as error:
            unstamped[release.folder.name] = str(error)
        except (OSError, dsse.BadEnvelope, LookupError):
            continue  # `tamga verify` reports the defect
    return unstamped
