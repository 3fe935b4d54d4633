"""Bring the JARs of jars.lock into one folder, and prove that they are the ones locked.

``python jars.py GROUP FOLDER`` fetches what is missing, with the Ivy inside pyspark, and
removes what is not in the lock. Ivy asks Maven Central; name another settings file in
``IVY_SETTINGS`` to go through a mirror. ``--write`` takes the sums anew after a version change.

Nothing is resolved transitively: the pip package of pyspark already holds Hadoop, Parquet,
Jackson and log4j, and a second, older copy of them on the class path wins at random.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import urllib.parse
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from goldenlake.io.java import java_home

LOCK = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True)
class Jar:
    group: str
    coordinates: str
    file: str
    sha256: str

    def is_in(self, folder: Path) -> bool:
        return (folder / self.file).is_file() and sha256(folder / self.file) == self.sha256

    def as_ivy(self) -> str:
        organisation, name, revision = self.coordinates.split(":")
        return (
            f"<dependency org={quoteattr(organisation)} name={quoteattr(name)} "
            f'rev={quoteattr(revision)} conf="default->master" transitive="false"/>'
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("group", choices=["delta", "s3"])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--write", action="store_true", help="accept the sums that come")
    options = arguments.parse_args()

    locked = read_lock()
    wanted = [jar for jar in locked if jar.group == options.group]
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    missing = wanted if options.write else [jar for jar in wanted if not jar.is_in(folder)]
    if missing:
        print(f"[setup] {len(missing)} {options.group} JARs ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fetch(missing, Path(scratch))
            if options.write:
                write_lock(locked, missing, Path(scratch))
            else:
                refuse_strangers(missing, Path(scratch))
            for jar in missing:
                os.replace(Path(scratch) / jar.file, folder / jar.file)
    for path in folder.glob("*.jar"):
        if path.name not in {jar.file for jar in wanted}:
            path.unlink()


def read_lock() -> list[Jar]:
    lines = (line.split() for line in LOCK.read_text().splitlines())
    return [Jar(*fields) for fields in lines if fields and not fields[0].startswith("#")]


def write_lock(locked: list[Jar], taken: list[Jar], folder: Path) -> None:
    sums = {jar: sha256(folder / jar.file) for jar in taken}
    comments = [line for line in LOCK.read_text().splitlines() if line.startswith("#")]
    rows = [f"{j.group} {j.coordinates} {j.file} {sums.get(j, j.sha256)}" for j in locked]
    LOCK.write_text("\n".join([*comments, *rows]) + "\n")


def fetch(jars: list[Jar], folder: Path) -> None:
    module = folder / "ivy.xml"
    module.write_text(
        '<ivy-module version="2.0"><info organisation="goldenlake" module="jars"/>'
        '<configurations><conf name="default"/></configurations><dependencies>'
        + "".join(jar.as_ivy() for jar in jars)
        + "</dependencies></ivy-module>"
    )
    command = [
        str(java_home() / "bin" / "java"), *as_this_machine(folder),
        "-jar", str(bundled_ivy()), "-warn",
        "-cache", str(folder / "cache"), "-ivy", str(module), "-confs", "default",
        "-retrieve", str(folder / "[artifact]-[revision].[ext]"),
    ]  # fmt: skip
    if settings := os.environ.get("IVY_SETTINGS"):
        command += ["-settings", settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    absent = [jar.coordinates for jar in jars if not (folder / jar.file).is_file()]
    shutil.rmtree(folder / "cache", ignore_errors=True)
    if done.returncode or absent:
        stop(
            f"{done.stdout}{done.stderr}\nCould not fetch {', '.join(absent) or 'all JARs'}. "
            "Is Maven Central reachable from here? Behind a mirror, set IVY_SETTINGS to an "
            "ivysettings.xml that names it, and run the same command again."
        )


def as_this_machine(folder: Path) -> list[str]:
    """Let Java trust and reach what other programs here do: it reads neither by itself."""
    options = []
    if proxy := urllib.request.getproxies().get("https"):
        address = urllib.parse.urlsplit(proxy)
        options += [f"-Dhttps.proxyHost={address.hostname}", f"-Dhttps.proxyPort={address.port}"]
    if bundle := certificate_bundle():
        with warnings.catch_warnings():
            # Old roots break rules of today; whether to trust them is the machine's affair.
            warnings.simplefilter("ignore")
            trusted = x509.load_pem_x509_certificates(bundle)
        entries = [pkcs12.PKCS12Certificate(c, str(n).encode()) for n, c in enumerate(trusted)]
        store = folder / "trusted.p12"
        store.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))
        options += [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12"]
    return options


def certificate_bundle() -> bytes | None:
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")]
    usual = [
        ssl.get_default_verify_paths().cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ]
    found = (Path(path) for path in [*named, *usual] if path)
    return next((path.read_bytes() for path in found if path.is_file()), None)


def bundled_ivy() -> Path:
    installed = Path(sysconfig.get_path("purelib")) / "pyspark" / "jars"
    return next(installed.glob("ivy-*.jar"))


def refuse_strangers(jars: list[Jar], folder: Path) -> None:
    for jar in jars:
        if not jar.is_in(folder):
            stop(
                f"{jar.coordinates}: SHA-256 is {sha256(folder / jar.file)}, {LOCK.name} says "
                f"{jar.sha256}. Nothing was installed. Find out why the file differs; after an "
                "intended version change run this script with --write."
            )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
