"""Loads ``conf/``: all declarations of an installation, or all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from goldenlake.declarations.base import Declaration, SecretReference
from goldenlake.declarations.catalogue import Catalogue
from goldenlake.declarations.connections import Connection, secrets_of
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.decisions import Decisions
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.documents import Document, read_document
from goldenlake.declarations.environment import (
    Environment,
    FolderPlace,
    Place,
    S3Place,
    SftpPlace,
)
from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.references import Loaded, Read, check_references
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.sentences import explain, hint, nearest
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table
from goldenlake.errors import DeclarationError, Problem

ModelT = TypeVar("ModelT", bound=Declaration)

_FOLDERS = ("sources", "tables", "groups", "segments", "destinations", "env")
"""Folders that hold one declaration a file."""
_SINGLE = (
    "consent.yml",
    "identity/identifiers.yml",
    "identity/matching.yml",
    "identity/decisions.yml",
)
_SILENT = ("schemas",)
_MOVED = {"identity/households.yml": "groups/households.yml"}
"""What an earlier release read from elsewhere."""


@dataclass
class _Reading:
    """The state of one load: where it looks, and what it found wrong."""

    conf: Path
    problems: list[Problem] = field(default_factory=list)

    def name(self, path: Path) -> str:
        return path.relative_to(self.conf.parent).as_posix()

    def one(self, path: Path, model: type[ModelT]) -> Read[ModelT]:
        """A file and its model; None where the file does not fit it."""
        file = self.name(path)
        if not path.is_file():
            is_there = path.exists() or path.is_symlink()
            message = "is no file that can be read." if is_there else "does not exist. Create it."
            self.problems.append(Problem(file=file, line=0, key="", message=message))
            return Read(document=Document(file=file, data={}), model=None)
        document, faults = read_document(path, file=file)
        self.problems += faults
        if not isinstance(document.data, dict):
            self.problems.append(document.problem((), "must hold a mapping of keys to values."))
            return Read(document=document, model=None)
        if faults and not document.data:
            return Read(document=document, model=None)
        try:
            declared = model.model_validate(document.data)
        except ValidationError as error:
            if document.data or faults:
                self.problems += explain(error, model, document)
            else:
                message = "is empty. Write the declaration, or remove the file."
                self.problems.append(document.problem((), message))
            return Read(document=document, model=None)
        return Read(document=document, model=declared)

    def optional(self, path: Path, model: type[ModelT]) -> Read[ModelT] | None:
        """A file that may be absent."""
        return self.one(path, model) if path.is_file() else None

    def folder(self, name: str, model: type[ModelT], key: str) -> dict[str, Read[ModelT]]:
        """All declarations of a folder by file name, which must be the declared name."""
        found: dict[str, Read[ModelT]] = {}
        for path in sorted((self.conf / name).glob("*.yml")):
            read = self.one(path, model)
            found[path.stem] = read
            declared = read.document.at((key,))
            judged = any(p.file == self.name(path) and p.key == key for p in self.problems)
            if isinstance(declared, str) and declared != path.stem and not judged:
                self.problems.append(
                    read.document.problem(
                        (key,),
                        f"is {declared!r}, but the file is {path.name}. "
                        f"Rename the file to {declared}.yml or correct the name.",
                    )
                )
        return found

    def strays(self) -> None:
        """Declarations that nothing would ever read, for they stand in the wrong place."""
        for path in sorted(self.conf.rglob("*")):
            inside = path.relative_to(self.conf)
            if path.suffix not in {".yml", ".yaml"} or inside.parts[0] in _SILENT:
                continue
            if any(part.startswith(".") for part in inside.parts) or inside.as_posix() in _SINGLE:
                continue
            if path.suffix == ".yml" and len(inside.parts) == 2 and inside.parts[0] in _FOLDERS:
                continue
            if path.suffix == ".yaml":
                message = f"is not read: name it {path.stem}.yml."
            elif moved := _MOVED.get(inside.as_posix()):
                message = f"is not read from here any more: it is conf/{moved} now."
            else:
                message = f"is not read from here. {_meant(inside)}"
            self.problems.append(Problem(file=self.name(path), line=0, key="", message=message))


def _meant(inside: Path) -> str:
    """Where a stray declaration was to stand: likeness counts without what all paths share."""
    is_single = len(inside.parts) == 1 or inside.parts[0] == "identity"
    if is_single:
        places = {name: f"conf/{name}" for name in _SINGLE}
    else:
        places = {name: f"conf/{name}/" for name in _FOLDERS}
    guess = nearest(inside.as_posix() if is_single else inside.parts[0], places)
    return f"Did you mean {places[guess]!r}?" if guess else f"Known: {', '.join(places.values())}."


def load_catalogue(conf: Path, *, environment: str = "local", lake: str | None = None) -> Catalogue:
    """All declarations under ``conf``, cross-checked for one environment.

    Relative paths of the environment start at conf's parent folder; ``lake`` takes the place of
    the environment's own. Every problem of every file is found before DeclarationError is raised.
    """
    conf = conf.absolute()
    everything = _read_everything(conf)
    chosen = everything.environments.get(environment)
    loaded = replace(everything.loaded, environment=chosen)
    problems = [*everything.problems, *check_references(loaded)]
    if chosen is None:
        problems.append(_no_environment(conf, environment, everything.environments))
    if problems:
        raise DeclarationError(problems)
    groups = _models(loaded.groups)
    return Catalogue(
        root=conf.parent,
        conf=conf,
        environment=_resolved(_sound(chosen), root=conf.parent, lake=lake),
        environment_name=environment,
        sources=_models(loaded.sources),
        tables=_models(loaded.tables) | {each.table: each.contract for each in groups.values()},
        groups=groups,
        identity=_sound(loaded.identity),
        matching=loaded.matching.model if loaded.matching else None,
        decisions=_sound(loaded.decisions).decisions if loaded.decisions else (),
        consent=_sound(loaded.consent),
        segments=_models(loaded.segments),
        destinations=_models(loaded.destinations),
    )


def check_conf(conf: Path) -> list[Problem]:
    """All problems of ``conf`` in any of its environments; an empty list where all is well."""
    conf = conf.absolute()
    try:
        everything = _read_everything(conf)
    except DeclarationError as error:
        return list(error.problems)
    problems = dict.fromkeys(everything.problems)
    if not everything.environments:
        problems[_no_environment(conf, "local", ())] = None
    environments: list[Read[Environment] | None] = [*everything.environments.values()]
    for environment in environments or [None]:
        loaded = replace(everything.loaded, environment=environment)
        problems |= dict.fromkeys(check_references(loaded))
    return sorted(problems)


@dataclass(frozen=True, kw_only=True)
class _Everything:
    """All files, read once for all environments; references are still to be checked."""

    environments: Mapping[str, Read[Environment]]
    loaded: Loaded
    problems: list[Problem]


def _read_everything(conf: Path) -> _Everything:
    if not conf.is_dir():
        raise DeclarationError([_no_conf(conf)])
    reading = _Reading(conf)
    reading.strays()
    # Every environment is read: a fault in production's must not wait for the first night there.
    environments = {
        path.stem: reading.one(path, Environment) for path in sorted((conf / "env").glob("*.yml"))
    }
    loaded = Loaded(
        environment=None,
        sources=reading.folder("sources", Source, "source"),
        tables=reading.folder("tables", Table, "table"),
        groups=reading.folder("groups", Group, "group"),
        segments=reading.folder("segments", Segment, "segment"),
        destinations=reading.folder("destinations", Destination, "destination"),
        identity=reading.one(conf / "identity" / "identifiers.yml", IdentityRules),
        matching=reading.optional(conf / "identity" / "matching.yml", Matching),
        decisions=reading.optional(conf / "identity" / "decisions.yml", Decisions),
        consent=reading.one(conf / "consent.yml", ConsentPolicy),
    )
    return _Everything(environments=environments, loaded=loaded, problems=reading.problems)


def _models(read: Mapping[str, Read[ModelT]]) -> dict[str, ModelT]:
    return {name: each.model for name, each in read.items() if each.model is not None}


def _sound(read: Read[ModelT] | None) -> ModelT:
    if read is None or read.model is None:
        raise RuntimeError("a file without a model, and no problem was reported")
    return read.model


def _no_conf(conf: Path) -> Problem:
    beside = sorted(path.name for path in conf.parent.glob("*/")) if conf.parent.is_dir() else []
    near = f"Folders beside it: {', '.join(beside)}." if beside else "Its parent has no folders."
    return Problem(
        file=str(conf), line=0, key="",
        message=f"is no folder, and declarations were looked for there. {near} "
        "Name the right one with --conf.",
    )  # fmt: skip


def _no_environment(conf: Path, name: str, known: Iterable[str]) -> Problem:
    return Problem(
        file=f"{conf.name}/env/{name}.yml", line=0, key="",
        message=f"does not exist; environment {name!r} was looked for there. {hint(name, known)}",
    )  # fmt: skip


def _resolved(environment: Environment, *, root: Path, lake: str | None) -> Environment:
    """The environment with every relative path made absolute."""
    lake = _path(lake or environment.lake, root)
    return environment.model_copy(
        update={
            "lake": lake,
            "landing": _path(environment.landing, root) if environment.landing else None,
            "reports": _path(environment.reports, root),
            "privacy": environment.privacy.model_copy(
                update={"key": _secret(environment.privacy.key, root)}
            ),
            "places": {
                name: _resolved_place(place, root) for name, place in environment.places.items()
            },
            "connections": {
                name: _resolved_connection(connection, root)
                for name, connection in environment.connections.items()
            },
        }
    )


def _resolved_place(place: Place, root: Path) -> Place:
    changed: dict[str, Any] = {}
    if isinstance(place, FolderPlace):
        changed["path"] = _path(place.path, root)
    elif isinstance(place, SftpPlace):
        changed["known_hosts"] = _path(place.known_hosts, root)
        changed["private_key"] = _secret(place.private_key, root)
        changed["password"] = _secret(place.password, root)
    elif isinstance(place, S3Place):
        changed["access_key"] = _secret(place.access_key, root)
        changed["secret_key"] = _secret(place.secret_key, root)
    return place.model_copy(update=changed)


def _resolved_connection(connection: Connection, root: Path) -> Connection:
    secrets = {key: _secret(secret, root) for key, secret in secrets_of(connection.auth).items()}
    changed = {
        "auth": connection.auth.model_copy(update=secrets),
        "ca_file": _path(connection.ca_file, root) if connection.ca_file else None,
    }
    return connection.model_copy(update=changed)


def _secret(reference: SecretReference | None, root: Path) -> SecretReference | None:
    if reference is None or reference.file is None:
        return reference
    return reference.model_copy(update={"file": _path(reference.file, root)})


def _path(text: str, root: Path) -> str:
    """An absolute path; URIs with a scheme stay as they are."""
    if "://" in text or text.startswith("file:"):
        return text
    return str((root / Path(text).expanduser()).resolve())
