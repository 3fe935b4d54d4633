"""A prefix in a bucket of S3, or of a store that speaks its protocol."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Self, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from urllib3.exceptions import HTTPError

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.environment import S3Place
from goldenlake.errors import FileRefused, PlaceUnreachable, SetupError, StoreUnsafe
from goldenlake.io.certificates import why_refused
from goldenlake.io.places.paths import Glob, listed, safe
from goldenlake.ports import RemoteFile

_ABSENT = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {
    "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket",
    "ExpiredToken", "AuthorizationHeaderMalformed", "PermanentRedirect",
}  # fmt: skip
#: Of one object: of the whole bucket it would have been told by its listing.
_WITHHELD = {"AccessDenied", "InvalidObjectState"}
_IN_MEMORY = 8 * 2**20
_LARGEST_PUT = 5 * 2**30


class S3:
    """``ports.FilePlace`` over a prefix. A file appears by one put, so never in part."""

    def __init__(self, name: str, *, bucket: str, prefix: str = "", **client: Any) -> None:
        """Nothing is connected here; ``client`` goes to ``boto3.client`` at the first call."""
        self.name = name
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._settings = client
        self._client: Any = None

    @classmethod
    def of_place(cls, name: str, place: S3Place) -> Self:
        """From a declaration; secrets stay references until the first call."""
        return cls(name, bucket=place.bucket, prefix=place.prefix, place=place)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    def _connected(self) -> Any:
        if self._client is None:
            settings = dict(self._settings)
            place: S3Place | None = settings.pop("place", None)
            seconds = 60.0
            if place:
                seconds = parse_duration(place.timeout).total_seconds()
                settings |= {"endpoint_url": place.endpoint, "region_name": place.region}
                if place.access_key and place.secret_key:
                    settings["aws_access_key_id"] = place.access_key.reveal()
                    settings["aws_secret_access_key"] = place.secret_key.reveal()
            config = Config(
                connect_timeout=min(seconds, 20),
                read_timeout=seconds,
                retries={"mode": "standard", "total_max_attempts": 3},
                # Stores other than AWS answer under one host name and know no trailing checksums.
                s3={"addressing_style": "path" if settings.get("endpoint_url") else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            # A session of its own: the default one is not safe across threads.
            self._client = boto3.session.Session().client("s3", config=config, **settings)
        return self._client

    def list(self, pattern: str) -> Iterator[RemoteFile]:
        """Files that match, in order of their path."""
        glob = Glob(pattern)
        below = f"{self._prefix}{glob.folder}/" if glob.folder else self._prefix
        with self._answers():
            pages = (
                self._connected()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self._bucket, Prefix=below)
            )
            found = [
                listed(
                    entry["Key"].removeprefix(self._prefix),
                    size_bytes=entry["Size"],
                    # Some stores list thousandths of seconds, which no reply about one object has.
                    modified_at=entry["LastModified"].replace(microsecond=0),
                    etag=entry.get("ETag", "").strip('"') or None,
                )
                for page in pages
                for entry in page.get("Contents", [])
                if glob.matches(entry["Key"].removeprefix(self._prefix))
            ]
        yield from sorted(found, key=lambda file: file.path)

    def open(self, path: str) -> BinaryIO:
        """The object's bytes; a reading that breaks off is taken up once where it stopped."""
        with self._answers(path):
            try:
                return cast(BinaryIO, io.BufferedReader(_Object(self, path), 2**20))
            except ClientError as error:
                if (code := _code(error)) in _WITHHELD:
                    what = f"the store answered {code}"
                    raise FileRefused(place=self.name, path=path, what=what) from error
                raise

    def get(self, path: str, *, at: int = 0, etag: str | None = None) -> dict[str, Any]:
        """The reply to one GET from a byte on; with an etag, of that version only."""
        asked = {"Range": f"bytes={at}-"} if at else {}
        if etag:
            asked["IfMatch"] = etag
        reply: dict[str, Any] = self._connected().get_object(
            Bucket=self._bucket, Key=self._key(path), **asked
        )
        return reply

    def write(self, path: str, content: Iterable[bytes]) -> RemoteFile:
        """Create or replace the object by a single put."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spooled:
            for piece in content:
                spooled.write(piece)
            spooled.seek(0)
            self.put(path, cast(BinaryIO, spooled))
        written = self.stat(path)
        if written is None:
            raise PlaceUnreachable(place=self.name, what=f"{path} vanished after it was written")
        return written

    def put(self, path: str, content: BinaryIO, *, only_new: bool = False) -> bool:
        """One put; with ``only_new`` an object that is there already stays, and False is given.

        What is larger than S3 takes by one put goes in parts, and is seen when the last has come.
        The store is asked beforehand then whether it is new: of two writers both may find it so.
        """
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        if size > _LARGEST_PUT:
            if only_new and self.stat(path) is not None:
                return False
            with self._answers(path):
                self._connected().upload_fileobj(content, self._bucket, self._key(path))
            return True
        condition = {"IfNoneMatch": "*"} if only_new else {}
        with self._answers(path):
            try:
                self._connected().put_object(
                    Bucket=self._bucket, Key=self._key(path), Body=content, **condition
                )
            except ClientError as error:
                if only_new and _code(error) in {"PreconditionFailed", "412"}:
                    return False
                raise
        return True

    def stat(self, path: str) -> RemoteFile | None:
        """The object, or None."""
        try:
            with self._answers(path):
                found = self._connected().head_object(Bucket=self._bucket, Key=self._key(path))
        except FileNotFoundError:
            return None
        return RemoteFile(
            path=path,
            size_bytes=found["ContentLength"],
            modified_at=found["LastModified"],
            etag=found.get("ETag", "").strip('"') or None,
        )

    def remove(self, path: str) -> None:
        """Remove the object; absent is fine."""
        with self._answers(path):
            self._connected().delete_object(Bucket=self._bucket, Key=self._key(path))

    def clear_unfinished(self, folder: str) -> None:
        """Nothing to do: a put that was cut off leaves nothing."""

    def _key(self, path: str) -> str:
        return self._prefix + safe(self.name, path)

    @contextmanager
    def _answers(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = _code(error)
            if code in _ABSENT:
                raise FileNotFoundError(path) from error
            if code in _REFUSED:
                raise SetupError(
                    f"place {self.name!r}: the store refused with {code}.",
                    mend="Check bucket, region and keys in conf/env.",
                ) from error
            raise PlaceUnreachable(place=self.name, what=f"the store answered {code}") from error
        except NoCredentialsError as error:
            raise SetupError(
                f"place {self.name!r}: no credentials were found.",
                mend="Name access_key and secret_key in conf/env, or give the machine a role.",
            ) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            if wrong := why_refused(error):
                raise SetupError(
                    f"place {self.name!r}: the store's certificate is refused: {wrong}.",
                    mend="Ask its owner to mend it; if an authority of your own issued it, name "
                    "that in AWS_CA_BUNDLE.",
                ) from error
            raise PlaceUnreachable(place=self.name, what=type(error).__name__) from error


def store_at(name: str, uri: str) -> S3:
    """The prefix of a bucket at an ``s3://`` (or ``s3a://``) URI; keys, region and endpoint are
    those of the process.
    """
    bucket, _, prefix = uri.split("://", 1)[1].partition("/")
    return S3(name, bucket=bucket, prefix=prefix)


def prove_conditional_put(store: S3) -> None:
    """Make sure that of two who create an object one is told that it was there already.

    Some stores and gateways take ``If-None-Match`` and ignore it: of two writers one then loses
    what it was told was written. Raises StoreUnsafe; PlaceUnreachable, SetupError.
    """
    path = f"_probe/{secrets.token_hex(8)}"
    try:
        first = store.put(path, io.BytesIO(b"first"), only_new=True)
        second = store.put(path, io.BytesIO(b"second"), only_new=True)
        with store.open(path) as content:
            kept = content.read()
    finally:
        store.remove(path)
    if not first or second or kept != b"first":
        raise StoreUnsafe(place=store.name)


class _Object(io.RawIOBase):
    """The bytes of one version of an object."""

    def __init__(self, place: S3, path: str) -> None:
        self._place, self._path, self._at = place, path, 0
        reply = place.get(path)
        self._etag: str | None = reply.get("ETag")
        self._length: int = reply["ContentLength"]
        self._body: Any = reply["Body"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._body.read(len(buffer))
        except (BotoCoreError, HTTPError, OSError):
            piece = b""
        if not piece and self._at < self._length:
            with self._place._answers(self._path):
                self._body.close()
                self._body = self._place.get(self._path, at=self._at, etag=self._etag)["Body"]
                piece = self._body.read(len(buffer))
            if not piece:
                raise PlaceUnreachable(place=self._place.name, what="a reading broke off")
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
