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


def is_within(uri: str, outer: str) -> bool:
    """Whether all of one area is in another, by the parts of their paths; in buckets whatever
    scheme they are called by.
    """
    folder, around = local_folder(uri), local_folder(outer)
    if folder is not None and around is not None:
        return folder.resolve().is_relative_to(around.resolve())
    if folder is not None or around is not None:
        return False
    parts, of_outer = (_key(each).split("/") for each in (uri, outer))
    return parts[: len(of_outer)] == of_outer


def _key(uri: str) -> str:
    return uri.split("://", 1)[1].strip("/")
