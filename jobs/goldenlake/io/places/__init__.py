"""Places that files come from and go to: a folder, an SFTP server, an object store."""

from __future__ import annotations

from pathlib import Path

from goldenlake.declarations.environment import FolderPlace, Place, SftpPlace
from goldenlake.ports import FilePlace


def open_place(name: str, place: Place, root: Path) -> FilePlace:
    """The adapter of a declared place; nothing is connected before the first call.

    Args:
        root: folder that holds ``conf/``; relative paths of the declaration start there.
    """
    # Each adapter's library takes a third of a second to load.
    if isinstance(place, FolderPlace):
        from goldenlake.io.places.folder import Folder

        return Folder(name, root / Path(place.path).expanduser())
    if isinstance(place, SftpPlace):
        from goldenlake.io.places.sftp import Sftp

        return Sftp(name, place, root)
    from goldenlake.io.places.s3 import S3

    return S3.of_place(name, place)
