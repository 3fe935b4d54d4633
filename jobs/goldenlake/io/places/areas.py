"""File areas of the installation itself, seen as places."""

from __future__ import annotations

from goldenlake.io.places.folder import Folder
from goldenlake.io.places.s3 import store_at
from goldenlake.io.tables import local_folder
from goldenlake.ports import FilePlace


def area(name: str, uri: str) -> FilePlace:
    """The files below a path, a ``file:`` URI or an ``s3://`` (or ``s3a://``) URI; keys, region and
    endpoint of a store are those of the process, as for the landing area.
    """
    folder = local_folder(uri)
    return Folder(name, folder) if folder is not None else store_at(name, uri)
