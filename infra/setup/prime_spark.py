"""Write what a start of Spark needs on this machine, below a cache folder.

- ``submit.properties``: for ``spark-submit --properties-file``; settings of every session, with
  the S3A JARs where they have been fetched.
- ``environment.sh``: for a shell that starts spark-submit; which Java, Spark and Python.
- ``classes-<key>.jsa``: classes parsed once (AppCDS), recorded by a small job of the usual kind;
  ``classes-<key>.none`` where this Java records none.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from goldenlake.io import spark as sessions
from goldenlake.io.java import java_home


def main() -> None:
    if sys.argv[1] == "--rehearse":
        rehearse(jars=Path(sys.argv[2]), archive=Path(sys.argv[3]))
        return
    jars, cache = (Path(argument).absolute() for argument in sys.argv[1:3])
    cache.mkdir(parents=True, exist_ok=True)
    write_properties(jars, cache)
    write_environment(cache)
    record_classes(jars, cache)


def write_properties(jars: Path, cache: Path) -> None:
    # What spark.small_data may set otherwise is left to the session: a submit wins over it.
    open_to_choice = sessions.SMALL_DATA_CONF
    conf = {
        **{key: of for key, of in sessions.BASE_CONF.items() if key not in open_to_choice},
        **sessions.jvm_conf(
            jars=jars, fast_start=False, s3=any((jars / "s3").glob("*.jar")), cache=cache
        ),
    }
    escaped = {key: value.replace("\\", "\\\\") for key, value in conf.items()}
    text = "".join(f"{key}={value}\n" for key, value in escaped.items())
    replace(cache / "submit.properties", text)


def write_environment(cache: Path) -> None:
    variables = {
        "JAVA_HOME": java_home(),
        "SPARK_HOME": sessions.SPARK_HOME,
        "PYSPARK_PYTHON": sys.executable,
    }
    lines = (f"export {name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    replace(cache / "environment.sh", "".join(lines))


def record_classes(jars: Path, cache: Path) -> None:
    archive = sessions.class_archive(cache)
    if archive.exists():
        return
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        recorded = Path(scratch) / archive.name
        # The archive is written when the JVM ends, which is after Python: run() waits for the
        # pipes, which the JVM holds.
        done = subprocess.run(
            [sys.executable, __file__, "--rehearse", str(jars), str(recorded)],
            capture_output=True,
            text=True,
            cwd=scratch,
            check=False,
        )
        if done.returncode:
            print((done.stdout + done.stderr)[-4000:], file=sys.stderr)
            raise SystemExit(
                "Spark does not start here; see above. Is the Java in use a whole one?"
            )
        for old in cache.glob("classes-*"):
            old.unlink(missing_ok=True)
        if not recorded.exists():
            print("No class archive: a start of Spark will take some 4 s longer.", file=sys.stderr)
            archive.with_suffix(".none").touch()
            return
        os.replace(recorded, archive)


def rehearse(*, jars: Path, archive: Path) -> None:
    from delta.tables import DeltaTable
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    scratch = archive.parent
    spark = sessions.open_session(
        app_name="rehearsal",
        master="local[2]",
        jars=jars,
        tmp=scratch,
        driver_memory="1g",
        fast_start=True,
        conf={sessions.JVM_OPTIONS: f"-Xlog:disable -XX:ArchiveClassesAtExit={archive}"},
    )
    lines = scratch / "lines.csv"
    lines.write_text("id,name,at\n" + "".join(f"{i},n{i % 7},2026-01-01\n" for i in range(50)))
    rows = spark.read.option("header", True).csv(str(lines))
    newest = Window.partitionBy("name").orderBy(F.desc("at"), F.asc("id"))
    ranked = (
        rows.withColumn("rank", F.row_number().over(newest))
        .withColumn("digest", F.sha2(F.concat_ws("|", "id", "name"), 256))
        .withColumn("odd", F.udf(lambda text: text[::-1])("name"))
    )
    table = str(scratch / "table")
    ranked.write.format("delta").partitionBy("at").save(table)
    target = DeltaTable.forPath(spark, table).alias("t")
    merge = target.merge(ranked.where("rank < 3").alias("s"), "t.id = s.id")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    read = spark.read.format("delta").load(table)
    read.join(rows, "id").groupBy("rank").agg(F.count_distinct("digest"), F.max("odd")).collect()
    DeltaTable.forPath(spark, table).delete("rank = 1")
    DeltaTable.forPath(spark, table).history().collect()
    spark.read.json(spark.sparkContext.parallelize(['{"a": 1}'])).collect()
    read.toPandas()
    spark.stop()


def replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, path)


if __name__ == "__main__":
    main()
