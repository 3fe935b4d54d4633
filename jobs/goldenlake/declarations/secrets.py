"""Secrets that stand in clear where any text may stand: headers of a connection, Spark's settings.

They are told by their names, and by what stands before them; a value is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldenlake.declarations.documents import Document
from goldenlake.declarations.environment import Environment
from goldenlake.errors import Problem

_NAMED = re.compile(
    r"(?i)secret|passw(?:or)?d|token|authorization|cookie|(?:access|api|account|auth)[-_.]?key"
)
_SAID = re.compile(r"(?i)\A(?:bearer|basic)\s+\S|(?:secret|passw(?:or)?d|token)\s*=\s*\S")
#: Of names that tell where a secret is, or how it is made, instead of what it is.
_ABOUT = re.compile(
    r"(?i)(?:file|path|provider|type|class|name|regex|enabled|keyref|\.id)\Z|\.secrets\."
)
#: No secret: a switch, a number, or what Spark and Hadoop put in place of a reference.
_HARMLESS = re.compile(r"(?i)\s*(?:true|false|\d{0,6}|\$\{[^{}]+\})\s*\Z")


def secrets_in_clear(document: Document, environment: Environment) -> Iterator[Problem]:
    """Every one, at its key."""
    for name, connection in environment.connections.items():
        for header, value in connection.headers.items():
            if _is_secret(header, value):
                yield document.problem(
                    ("connections", name, "headers", header),
                    "is a secret in clear. Name the header under auth, with its value as in "
                    "{env: NAME} or {file: path}, and change it: it stood in a file.",
                )
    for setting, value in environment.spark.conf.items():
        if _is_secret(setting, value):
            yield document.problem(
                ("spark", "conf", setting),
                "is a secret in clear. Say where it is, as in ${env.NAME} for Hadoop's settings or "
                "${env:NAME} for Spark's own, and change it: it stood in a file.",
            )


def _is_secret(name: str, value: str) -> bool:
    if _SAID.search(value):
        return True
    is_named = bool(_NAMED.search(name)) and not _ABOUT.search(name)
    return is_named and not _HARMLESS.match(value)
