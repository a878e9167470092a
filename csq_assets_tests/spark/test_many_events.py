"""As many events as asked for, through csq and Spark: what DuckDB makes of them, in bounded memory.

`make test-spark SPARK="-k many_events --events 1000000"`
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast
from uuid import uuid4

import duckdb
import pytest

from benchmarks.generate import BUCKET as CUSTOMER
from benchmarks.generate import deliver, write_files
from benchmarks.made_up import column_names, made_rows
from csq_assets.spark.messages import Place
from csq_assets_tests.platform import make_home
from csq_assets_tests.spark.cluster import Cluster
from csq_assets_tests.spark.commands import csq
from csq_assets_tests.spark.memory import peaks
from csq_assets_tests.spark.s3 import BUCKET
from csq_assets_tests.spark.session import Session

pytestmark = pytest.mark.slow
# What tiny tables do better without.
CONF = {
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.shuffle.partitions": "16",
}
MB = 10**6
BOUNDS = {"csq": 1_000, "driver": 1_200, "Python of the driver": 300, "executor": 1_100}  # MB


def test_many_events(
    running: Cluster,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = cast(int, request.config.getoption("--events"))
    export, lake = tmp_path / "export", f"s3://{BUCKET}/{uuid4().hex}"
    settings = {
        **running.environment,
        "CSQ_EXPORT_URL": str(export),
        "CSQ_LAKE_URL": lake,
        "CSQ_SPARK_BUCKETS": "4",
        "CSQ_SPARK_SUBMIT": running.submit_with(CONF),
    }
    spark, warehouse = {**settings, "CSQ_ENGINE": "spark"}, tmp_path / "warehouse.duckdb"

    def tell(sentence: str) -> None:
        with capsys.disabled():
            print(sentence, flush=True)

    with peaks(kind_of) as found:
        deliver(export, 1, {"clicks": events}, files={"clicks": 8}, full_resync=["clicks"])
        tell(f"\n{events:,} events as a full dump: {sync(tmp_path / 'spark', spark):.0f} s")
        tell(shown(found))
        deliver_increment(export, events // 100)
        tell(f"an increment: {sync(tmp_path / 'spark', spark):.0f} s")
        tell(shown(found))
    sync(tmp_path / "duckdb", {**settings, "CSQ_DUCKDB_PATH": str(warehouse)})
    with (
        duckdb.connect(str(warehouse), read_only=True) as connection,
        Session.opened(running, tmp_path / "log", CONF) as session,
    ):
        place = Place("csq", f"{lake}/iceberg")
        for table in ("csq.clicks", "csq.all_events", "csq_meta.user_identity"):
            columns = [str(row[0]) for row in connection.sql(f"DESCRIBE {table}").fetchall()]
            wanted = connection.sql(in_duckdb(table, columns)).fetchall()
            assert session.query(place, in_spark(f"csq.{table}", columns))[1] == wanted
            tell(f"{table}: {wanted[0][0]:,} rows, equal")
    assert found.keys() == BOUNDS.keys()
    assert [kind for kind, size in found.items() if size > BOUNDS[kind] * MB] == []


def shown(found: Mapping[str, int]) -> str:
    """The peaks until now."""
    parts = [
        f"{kind} {size // MB:,} of {BOUNDS[kind]:,} MB" for kind, size in sorted(found.items())
    ]
    return ", ".join(parts)


def deliver_increment(export: Path, rows: int) -> None:
    """So many events that were delivered before, and as many new ones; and a hundred users who turn out
    to be others."""
    manifest = deliver(export, 2, {"clicks": rows})
    (again,) = write_files(export / "sync_2" / "again", "clicks", rows, 1, seed=1)
    migrations = export / "sync_2" / "migrations.avro"
    made_rows("user_migrations", 500, 600, seed=2).write_avro(migrations, compression="snappy")
    told = json.loads(manifest.read_text())
    told["tables"][0]["files"].append(listed(export, again))
    told["tables"].append(
        {
            "name": "user_migrations",
            "incremental": False,
            "columns": column_names("user_migrations"),
            "files": [listed(export, migrations)],
        }
    )
    manifest.write_text(json.dumps(told))


def listed(export: Path, path: Path) -> str:
    """As a manifest names it."""
    return f"s3://{CUSTOMER}/{path.relative_to(export).as_posix()}"


def sync(home: Path, settings: Mapping[str, str]) -> float:
    """Execute csq sync; its seconds."""
    if not home.exists():
        home.mkdir()
        make_home(home)
    started = time.monotonic()
    csq(home, settings, "sync")
    return time.monotonic() - started


def kind_of(words: Sequence[str]) -> str | None:
    """What a process of this command is. The driver of the session of other tests does not count."""
    if "org.apache.spark.deploy.SparkSubmit" in words:
        return "driver" if words[-1].endswith("job.py") else None
    if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in words:
        return "executor"
    if words and words[-1].endswith("job.py"):
        return "Python of the driver"
    return "csq" if "sync" in words and any(word.endswith("/csq") for word in words) else None


def in_duckdb(table: str, columns: Sequence[str]) -> str:
    """SELECT the number of rows, and of each column that of its values, and a checksum of them; and one
    of whole rows."""
    texts = [f"CAST({column} AS VARCHAR)" for column in columns]
    rows = _whole(texts)
    sums = [f"sum(CAST('0x' || md5({text})[1:8] AS BIGINT))" for text in [*texts, rows]]
    return _print(table, columns, [f"CAST({one} AS BIGINT)" for one in sums])


def in_spark(table: str, columns: Sequence[str]) -> str:
    """The same for Spark."""
    texts = [f"CAST({column} AS STRING)" for column in columns]
    rows = _whole(texts)
    sums = [f"sum(CAST(conv(left(md5({text}), 8), 16, 10) AS BIGINT))" for text in [*texts, rows]]
    return _print(table, columns, sums)


def _whole(texts: Sequence[str]) -> str:
    return "concat_ws('|', " + ", ".join(f"coalesce({text}, '~')" for text in texts) + ")"


def _print(table: str, columns: Sequence[str], sums: Sequence[str]) -> str:
    counts = [f"count({column})" for column in columns]
    return f"SELECT {', '.join(['count(*)', *counts, *sums])} FROM {table}"
