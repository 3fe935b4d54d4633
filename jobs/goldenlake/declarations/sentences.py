"""What a person is told when a declaration does not fit its model."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from rapidfuzz.distance import OSA

from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.decisions import Disagreement
from goldenlake.declarations.documents import Document, KeyPath
from goldenlake.declarations.source import UnknownColumn
from goldenlake.errors import Problem


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that somebody most likely meant."""
    near = _ranked(str(name), known)
    return near[0][2] if near else None


def _ranked(name: str, known: Iterable[str]) -> list[tuple[int, float, str]]:
    """Names within reach, nearest first: few typing errors before a general likeness."""
    ranked = []
    for candidate in known:
        errors = int(OSA.distance(name.lower(), candidate.lower()))
        likeness = SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        if errors <= max(1, len(candidate) // 4) or likeness >= _ALIKE:
            ranked.append((errors, -likeness, candidate))
    return sorted(ranked)


_ALIKE = 0.7


def hint(name: object, known: Iterable[str]) -> str:
    """A closing sentence: what was meant, or what there is."""
    known = sorted(known)
    if guess := nearest(name, known):
        return f"Did you mean {guess!r}?"
    return f"Known: {', '.join(known) or 'none'}."


def unknown(
    document: Document,
    path: KeyPath,
    value: str,
    known: Iterable[str] | None,
    *,
    where: str,
) -> Iterator[Problem]:
    """One problem where a value is none of the ``known``; none where those are not known either."""
    if known is not None and value not in (names := set(known)):
        yield document.problem(
            path, f"{_quoted(value)} is not declared in {where}. {hint(value, names)}"
        )


def explain(error: ValidationError, model: type[BaseModel], document: Document) -> list[Problem]:
    """One problem for each thing that a person has to change, in the order of the file."""
    found: dict[KeyPath, list[tuple[ErrorDetails, list[Any]]]] = {}
    for details in error.errors(include_url=False, include_input=False):
        path, kinds = _located(details["loc"], model)
        found.setdefault(path, []).append((details, kinds))
    missing = {path for path, faults in found.items() if faults[0][0]["type"] == "missing"}
    problems: list[Problem] = []
    for path, faults in found.items():
        details, kinds = faults[0]
        if path in missing:
            continue
        if details["type"] == "extra_forbidden":
            guess = nearest(path[-1], _keys(kinds) - _standing(document, path[:-1]))
            guess = guess or nearest(path[-1], _keys(kinds))
            # A key that is missing and one that is unknown are one typing error, not two.
            missing.discard((*path[:-1], guess or ""))
            known = f"Known: {', '.join(sorted(_keys(kinds)))}."
            say = f"is not a known key. {f'Did you mean {guess!r}?' if guess else known}"
            if beside := _condition_beside(document, path, kinds):
                say = f"stands beside {beside}: one of both is a condition. Put both under all."
            problems.append(document.problem(path, say))
        else:
            problems += _sentences(path, faults, document)
    problems += [document.problem(path, "is missing. Add it.") for path in found if path in missing]
    return sorted(problems)


def _sentences(
    path: KeyPath, faults: list[tuple[ErrorDetails, list[Any]]], document: Document
) -> list[Problem]:
    details, kinds = faults[0]
    kind, context = details["type"], details.get("ctx", {})
    value = document.at(path)
    raised = context.get("error")
    if isinstance(raised, UnknownColumn):
        return [
            document.problem(
                where, f"names column {name!r}, which columns lacks. {hint(name, raised.known)}"
            )
            for where, name in raised.findings
        ]
    if isinstance(raised, Disagreement):
        return [document.problem(where, message) for where, message in raised.findings]
    if kind == "literal_error":
        known = [str(item) for item in _literals(kinds)]
        if details["loc"][-1:] == ("[key]",):
            known = [each.strip("' ") for each in re.split(",| or ", context["expected"])]
            return [document.problem(path, f"is not a known key. {hint(path[-1], known)}")]
        if set(known) <= {"True", "False"}:
            told = f"must be true or false, but is {_called(value)}.{_no(value)}"
            return [document.problem(path, told)]
        return [document.problem(path, f"is {_quoted(value)}. {_choices(value, known)}")]
    if kind in {"union_tag_invalid", "union_tag_not_found", "condition"}:
        return [_untagged(path, kind, kinds, document)]
    if kind == "value_error":
        return [document.problem(path, f"{raised}.")]
    if kind == "string_pattern_mismatch":
        return [
            document.problem(
                path, f"{_shown(path, value)}must match {context['pattern']}: {_NAMES}"
            )
        ]
    if isinstance(value, str) and any(_bare(each) is SecretReference for each in kinds):
        return [document.problem(path, _IN_CLEAR)]
    if all(fault["type"].endswith(("_type", "_parsing")) for fault, _ in faults):
        wanted = dict.fromkeys(
            _WANTED.get(fault["type"].removesuffix("_type").removesuffix("_parsing"), "")
            for fault, _ in faults
        )
        shapes = " or ".join(shape for shape in wanted if shape)
        if shapes:
            advice = " Put it in quotes." if _needs_quotes(value, faults) else ""
            advice = _no(value) if shapes == _WANTED["bool"] else advice
            return [document.problem(path, f"must be {shapes}, but is {_called(value)}.{advice}")]
    message = details["msg"]
    return [document.problem(path, message[0].lower() + message[1:].rstrip(".") + ".")]


_IN_CLEAR = (
    "is a secret in clear. Say where it is, as in {env: NAME} or {file: path}, and change it: it "
    "stood in a file."
)
_NAMES = "small letters, digits and _, beginning with a letter."
_WANTED = {
    "string": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
    "list": "a list", "dict": "a mapping", "model": "a mapping", "model_attributes": "a mapping",
    "mapping": "a mapping",
}  # fmt: skip


def _called(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), "something else")


def _no(value: object) -> str:
    """What YAML 1.1 had for true and false is text in YAML 1.2."""
    is_meant = isinstance(value, str) and value.lower() in {"yes", "no", "on", "off"}
    return " In YAML 1.2 it is true and false alone." if is_meant else ""


def _quoted(value: object) -> str:
    """A value that was met; of a long one the beginning."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTED else f"{text[:_LONGEST_QUOTED]} …"


_LONGEST_QUOTED = 80


def _needs_quotes(value: object, faults: list[tuple[ErrorDetails, list[Any]]]) -> bool:
    wants_text = any(fault["type"] == "string_type" for fault, _ in faults)
    return wants_text and isinstance(value, bool | int | float)


def _shown(path: KeyPath, value: object) -> str:
    return f"is {_quoted(value)} but " if isinstance(value, str) and path else ""


def _choices(value: object, known: list[str]) -> str:
    guess = nearest(value, known)
    meant = f" Did you mean {guess!r}?" if guess else ""
    return f"Use one of {', '.join(known)}.{meant}"


def _untagged(path: KeyPath, kind: str, kinds: list[Any], document: Document) -> Problem:
    """A value whose kind cannot be told: by a key of its own, or by the key that it should have."""
    value = document.at(path)
    if not isinstance(value, dict):
        return document.problem(path, f"must be a mapping, but is {_called(value)}.")
    key, tags = _discriminators(kinds)
    if kind == "union_tag_invalid":
        said = value.get(key)
        return document.problem((*path, key), f"is {_quoted(said)}. {_choices(said, tags)}")
    wanted = _CONDITION_KEYS if kind == "condition" else [key]
    typed = [
        (*guesses[0], str(present)) for present in value if (guesses := _ranked(present, wanted))
    ]
    if typed:
        *_, guess, present = min(typed)
        return document.problem((*path, present), f"is not a known key. Did you mean {guess!r}?")
    if kind == "condition":
        return document.problem(path, f"names no condition. Use one of {', '.join(wanted)}.")
    return document.problem((*path, key), f"is missing. Use one of {', '.join(tags)}.")


_CONDITION_KEYS = [
    "all", "any", "not", "attribute", "metric", "event", "sequence", "segment", "sql",
]  # fmt: skip


# Pydantic puts the members of unions that it tried into an error's location. To give a person the
# path as it stands in the file, the location is walked along the model: where a union has to be
# narrowed, the step is a member's tag and no key.


def _located(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[KeyPath, list[Any]]:
    """The path in the file, and the types that its last key could have had."""
    path: list[str | int] = []
    kinds = _members(model)
    for step in loc:
        if step == "[key]":
            continue
        if len(kinds) > 1:
            kinds = _narrowed(kinds, str(step))
            continue
        inner = _inside(kinds[0], step) if kinds else []
        path.append(step)
        kinds = inner if inner is not None else kinds
    return tuple(path), kinds


def _inside(kind: Any, step: str | int) -> list[Any] | None:
    """Types of what stands under a key or at a position; None for a key that is unknown."""
    kind = _bare(kind)
    if _is_model(kind):
        field = _field(kind, str(step))
        return _members(_typed(field)) if field is not None else None
    origin, args = get_origin(kind), get_args(kind)
    if origin is dict:
        return _members(args[1])
    if origin is list:
        return _members(args[0])
    return []


def _members(annotation: Any) -> list[Any]:
    """The members of a union, tags kept; of anything else, itself. None does not count."""
    inner = annotation
    while get_origin(inner) is Annotated:
        inner = get_args(inner)[0]
    if get_origin(inner) in (Union, types.UnionType):
        return [part for part in get_args(inner) if part is not type(None)]
    return [annotation]


def _narrowed(kinds: list[Any], tag: str) -> list[Any]:
    for kind in kinds:
        if tag in (*_tags(kind), _name_in_loc(kind)):
            return _members(kind)
    return [kind for kind in kinds if get_origin(_bare(kind)) is list][:1] or kinds[:1]


def _name_in_loc(kind: Any) -> str:
    return getattr(_bare(kind), "__name__", "")


def _tags(kind: Any) -> list[str]:
    if get_origin(kind) is Annotated:
        tags = [meta.tag for meta in get_args(kind)[1:] if isinstance(meta, Tag)]
        if tags:
            return tags
    bare = _bare(kind)
    if not _is_model(bare):
        return []
    return [str(value) for key in _KEYS_OF_KIND for value in _literal_values(bare, key)]


_KEYS_OF_KIND = ("kind", "rule")


def _literal_values(model: type[BaseModel], key: str) -> tuple[Any, ...]:
    field = model.model_fields.get(key)
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def _discriminators(kinds: list[Any]) -> tuple[str, list[str]]:
    for key in _KEYS_OF_KIND:
        tags = [str(tag) for kind in kinds for tag in _literal_values(_bare(kind), key)]
        if tags:
            return key, tags
    return "", []


def _literals(kinds: list[Any]) -> list[Any]:
    return [
        value for kind in kinds if get_origin(_bare(kind)) is Literal
        for value in get_args(_bare(kind))
    ]  # fmt: skip


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field
    return None


def _typed(field: FieldInfo) -> Any:
    """The field's annotation, with what pydantic has split off from it."""
    return field.annotation


def _keys(kinds: list[Any]) -> set[str]:
    return {
        field.alias or name
        for kind in kinds
        if _is_model(_bare(kind))
        for name, field in _bare(kind).model_fields.items()
    }


def _condition_beside(document: Document, path: KeyPath, kinds: list[Any]) -> str | None:
    """The condition in whose mapping this key stands, which would be one itself."""
    if path[-1] not in _CONDITION_KEYS:
        return None
    return min(_standing(document, path[:-1]) & _keys(kinds) & set(_CONDITION_KEYS), default=None)


def _standing(document: Document, path: KeyPath) -> set[str]:
    value = document.at(path)
    return set(value) if isinstance(value, Mapping) else set()
