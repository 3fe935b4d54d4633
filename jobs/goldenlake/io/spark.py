"""The Spark session, and what every session of this project must have set."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from goldenlake.io.java import FAST_START, java_home

SPARK_HOME = Path(pyspark.__file__).parent
LOGGING = Path(__file__).with_name("log4j2.properties")

DELETION_VECTORS = "spark.databricks.delta.properties.defaults.enableDeletionVectors"

BASE_CONF: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    # Of files and folders on a disk: a lake is full of people. Who is to read it is in its group.
    "spark.hadoop.fs.permissions.umask-mode": "027",
    # Writers put a checksum into every page; nobody looks at it unless told to, so that a flipped
    # bit on an object store came out as another value.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    # What is shuffled and spilled holds people, and stays on the disk where a process is killed.
    # Its key is nowhere but in that process. Java's own ciphers: a native library would be
    # unpacked at each start.
    "spark.io.encryption.enabled": "true",
    "spark.io.encryption.commons.config.cipher.classes": (
        "org.apache.commons.crypto.cipher.JceCipher"
    ),
    "spark.io.encryption.commons.config.secure.random.classes": (
        "org.apache.commons.crypto.random.JavaCryptoRandom"
    ),
    # SPARK-58241: a UDF straight on a Parquet scan can wait for ever (mended in 4.2.1).
    "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled": "false",
    "spark.sql.adaptive.enabled": "true",
    # Hadoop's newer interface to files asks `readlink` of each before it renames one: 16 processes
    # a commit, a quarter of its time. Commits exclude one another all the same: see ``locks``.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing."
        "FileSystemBasedCheckpointFileManager"
    ),
    # Of the files of a table, which are read before each query: the default is 50.
    "spark.databricks.delta.snapshotPartitions": "1",
    # A night compiles some thousand pieces of code, most of them again and again. The default of
    # 100 forgets them in between: with this, 7% less CPU for a night over 100,000 customers.
    "spark.sql.codegen.cache.maxEntries": "5000",
    # Every plan is described for the web interface, wide ones at length: 7% of a night's CPU.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.debug.maxToStringFields": "2",
    # Delta 4.4 refuses versions older than a table's deletedFileRetentionDuration (one week) even
    # where their files are there, and VACUUM goes by that property instead of the hours it is
    # given. A published generation may be older: `maintain` knows which files are needed.
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
    "spark.databricks.delta.vacuum.retentionWindowIgnore.enabled": "false",
    # Of new tables: a merge marks rows instead of writing whole files again.
    DELETION_VECTORS: "true",
    # Of new tables. Beyond it the log of old versions is removed; the default is 30 days.
    "spark.databricks.delta.properties.defaults.logRetentionDuration": "interval 90 days",
    # A machine that is busy elsewhere is no fault: the default of 5 minutes fails the query.
    "spark.sql.broadcastTimeout": "3600",
    "spark.sql.shuffle.partitions": "4",
    "spark.python.worker.reuse": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}

#: For tables of a few thousand rows, where what surrounds the rows costs more than they do.
#: Measured: compiling plans took two fifths of all time; to ask for deletion vectors at each scan,
#: and to plan again after each shuffle, two fifths of the rest.
SMALL_DATA_CONF: Mapping[str, str] = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    # One task is enough to read a table, and each of them unpacks the whole plan.
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.leafNodeDefaultParallelism": "1",
    DELETION_VECTORS: "false",
}

#: Table functions that make rows of what they are given.
HARMLESS = frozenset({
    "collations", "explode", "explode_outer", "inline", "inline_outer", "json_tuple", "posexplode",
    "posexplode_outer", "range", "sql_keywords", "stack", "variant_explode",
    "variant_explode_outer",
})  # fmt: skip

JVM_OPTIONS = "spark.driver.extraJavaOptions"
DELTA_EXTENSION = BASE_CONF["spark.sql.extensions"]


def open_session(
    *,
    app_name: str,
    master: str,
    jars: Path,
    tmp: Path,
    conf: Mapping[str, str] | None = None,
    driver_memory: str = "3g",
    fast_start: bool = False,
    s3: bool = False,
    cache: Path | None = None,
) -> SparkSession:
    """The session of this process, with Delta and UTC.

    Under plain Python this starts the JVM. Under ``spark-submit`` the JVM runs already,
    and what the submit says wins over every argument here: master, memory, JARs, settings.

    Args:
        jars: folder that ``make setup`` filled; its ``s3`` folder too when ``s3`` is set.
        tmp: scratch space for shuffles and for the (unused) warehouse.
        conf: settings on top of ``BASE_CONF``. JVM options given here are appended to ours.
        fast_start: leave out the optimising compiler: a start and small jobs take a third
            less, long jobs take more.
        cache: folder of class archives; one that fits saves 2 s of a start and 2 s of the
            first write, one that does not is ignored by the JVM.

    Raises:
        FileNotFoundError: no JARs in ``jars``, or no Java 17 or 21.
        RuntimeError: ``spark-submit`` was started without the Delta JARs.
    """
    _quote_no_values()
    if under_spark_submit():
        return _join_submitted(app_name, {**BASE_CONF, **scratch_conf(tmp), **(conf or {})})

    settings = {
        **BASE_CONF,
        **scratch_conf(tmp),
        **jvm_conf(jars=jars, fast_start=fast_start, s3=s3, cache=cache),
        "spark.master": master,
        "spark.app.name": app_name,
        "spark.driver.memory": driver_memory,
    }
    given = dict(conf or {})
    settings[JVM_OPTIONS] = f"{settings[JVM_OPTIONS]} {given.pop(JVM_OPTIONS, '')}".rstrip()
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        # As a setting, spark.local.dir, it would be warned about at every start.
        os.environ["SPARK_LOCAL_DIRS"] = str(tmp.absolute() / "spark")
    # A SPARK_HOME or PYSPARK_PYTHON of another installation would start another Spark or Python.
    os.environ["SPARK_HOME"] = str(SPARK_HOME)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["JAVA_HOME"] = str(java_home())
    builder = SparkSession.builder
    for key, value in (settings | given).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def forbid_paths(spark: SparkSession) -> None:
    """Have queries of this session name no table by its path: neither as a relation nor by a table
    function that is not known to be harmless, as Delta's ``table_changes_by_path``.
    """
    spark.conf.set("spark.sql.runSQLOnFiles", "false")
    session: Any = spark
    functions = session._jsparkSession.sessionState().tableFunctionRegistry()
    listed = functions.listFunction()
    for each in [listed.apply(at) for at in range(listed.size())]:
        if each.funcName() not in HARMLESS:
            functions.dropFunction(each)


def _quote_no_values() -> None:
    """PySpark logs each error of a query as JSON, with the value that it met, on its way up."""
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def under_spark_submit() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ


def scratch_conf(tmp: Path) -> dict[str, str]:
    return {"spark.sql.warehouse.dir": str(tmp.absolute() / "warehouse")}


def jvm_conf(*, jars: Path, fast_start: bool, s3: bool, cache: Path | None) -> dict[str, str]:
    """Settings that only count before the JVM starts; for a properties file, or a session."""
    found = sorted(jars.glob("*.jar"))
    if not found:
        raise FileNotFoundError(f"No Delta JARs in {jars}. Run `make setup`.")
    if s3:
        found_s3 = sorted((jars / "s3").glob("*.jar"))
        if not found_s3:
            raise FileNotFoundError(f"No S3A JARs in {jars / 's3'}. Run `make setup-s3`.")
        found += found_s3
    # Elsewhere than in UTC, Delta reads a table's whole state again after each commit, to prove a
    # copy of it: twice the queries of a small write.
    options = ["-Duser.timezone=UTC", *(FAST_START if fast_start else ())]
    if LOGGING.is_file():
        options.append(f"-Dlog4j2.configurationFile={LOGGING.as_uri()}")
    if cache is not None:
        # The JVM warns on standard output about an archive it cannot use.
        options += ["-Xlog:disable", "-Xlog:all=error:stderr", "-Xshare:auto"]
        options.append(f"-XX:SharedArchiveFile={class_archive(cache)}")
    return {
        "spark.jars": ",".join(jar.absolute().as_uri() for jar in found),
        JVM_OPTIONS: " ".join(f'"{option}"' if " " in option else option for option in options),
    }


def class_archive(cache: Path) -> Path:
    """Where the archive of parsed classes (AppCDS) lies for this Java and this Spark."""
    fits = f"{(java_home() / 'release').read_text()} {pyspark.__version__} {SPARK_HOME}"
    return cache.absolute() / f"classes-{hashlib.sha256(fits.encode()).hexdigest()[:12]}.jsa"


def _join_submitted(app_name: str, settings: Mapping[str, str]) -> SparkSession:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    SparkContext._ensure_initialized()
    # Spark itself only logs a warning, and fails with a riddle at the first use of the catalog.
    if not is_loadable(DELTA_EXTENSION):
        raise RuntimeError(
            "spark-submit was started without the Delta JARs. Give it "
            "--properties-file .cache/spark/submit.properties (written by `make setup`), "
            "or name the files of .jars/ in --jars."
        )
    submitted = SparkConf()
    builder = SparkSession.builder
    for key, value in {"spark.app.name": app_name, **settings}.items():
        if key != JVM_OPTIONS and not submitted.contains(key):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    if "log4j" not in (submitted.get(JVM_OPTIONS) or ""):
        spark.sparkContext.setLogLevel("WARN")
    return spark


def is_loadable(name: str) -> bool:
    """Whether the running JVM has a class; Spark goes on without an extension that it lacks."""
    jvm = SparkContext._jvm
    assert jvm is not None
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    return loader.getResource(name.replace(".", "/") + ".class") is not None
