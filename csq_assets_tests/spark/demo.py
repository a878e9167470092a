"""The sample export with both engines: `make demo-spark`.

python -m csq_assets_tests.spark.demo PYTHON_WITH_SPARK
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.processes import NotStartedError
from csq_assets.spark.messages import Place
from csq_assets_tests.spark.cluster import Cluster, Software, cluster
from csq_assets_tests.spark.s3 import BUCKET
from csq_assets_tests.spark.session import REPOSITORY, Session

_CSQ = Path(sys.executable).with_name("csq")
_WARNED = 3  # `csq sync` worked, and a check warns: the sample has what is to be warned of
Print = tuple[int, str]  # the rows of a table, and their checksum


def main(python: Path) -> int:
    """Say what happens, and whether the engines agree: 0 if they do."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="csq-spark-") as name:
        folder = Path(name)
        try:
            with cluster(Software(python), folder / "cluster") as running:
                return _show(running, folder)
        except KeyboardInterrupt:
            return 130
        except (NotStartedError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1


def _show(running: Cluster, folder: Path) -> int:
    print(f"A master, two workers and an S3 server are running. Spark's UI: {running.ui}")
    export = folder / "export"
    _csq({}, "sample", str(export))
    homes = {
        "duckdb": {"CSQ_LAKE_URL": str(folder / "lake")},
        "spark": {
            **running.environment,
            "CSQ_ENGINE": "spark",
            "CSQ_LAKE_URL": f"s3://{BUCKET}/demo",
            "CSQ_SPARK_BUCKETS": "2",
            "CSQ_SPARK_SUBMIT": running.submit,
        },
    }
    for engine, settings in homes.items():
        home = folder / engine
        home.mkdir()
        shutil.copy(REPOSITORY / "dagster.yaml", home)
        own = {
            **settings,
            "CSQ_DUCKDB_PATH": str(folder / "duckdb" / "warehouse.duckdb"),
            "CSQ_EXPORT_URL": str(export),
            "DAGSTER_HOME": str(home),
        }
        print(f"\ncsq sync, with CSQ_ENGINE={engine}", flush=True)
        _csq(own, "sync")
    with duckdb.connect(str(folder / "duckdb" / "warehouse.duckdb"), read_only=True) as connection:
        wanted = prints_of_duckdb(connection)
    with Session.opened(running, folder / "session.log") as session:
        place = Place("csq", f"s3://{BUCKET}/demo/iceberg")
        found = prints_of_spark(session, place, wanted)
    return 0 if tell(wanted, found) else 1


def prints_of_duckdb(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, tuple[list[str], Print]]:
    """Each relation with its columns, its rows and their checksum."""
    named = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'csq' "
        "OR table_schema = 'csq_meta' AND table_name = 'user_identity' ORDER BY ALL"
    ).fetchall()
    prints: dict[str, tuple[list[str], Print]] = {}
    for schema, name in named:
        read = connection.execute(f'FROM "{schema}"."{name}"')
        columns = [column[0] for column in read.description or ()]
        prints[f"{schema}.{name}"] = columns, _print_of(read.fetchall())
    return prints


def prints_of_spark(
    session: Session, place: Place, wanted: Mapping[str, tuple[Sequence[str], Print]]
) -> dict[str, Print]:
    """The same columns of the Iceberg tables of these names."""
    found: dict[str, Print] = {}
    for name, (columns, _) in wanted.items():
        chosen = ", ".join(f"`{column}`" for column in columns)
        read = session.query(place, f"SELECT {chosen} FROM {place.catalog}.{name.lower()}")
        found[name] = _print_of(read[1])
    return found


def tell(wanted: Mapping[str, tuple[Sequence[str], Print]], found: Mapping[str, Print]) -> bool:
    """Print a line for each table. Whether all are equal."""
    print(f"\n{'table':<28}{'rows':>8}  checksum          Spark and DuckDB")
    for name, (_, (rows, checksum)) in wanted.items():
        there = found[name]
        word = "equal" if there == (rows, checksum) else f"DIFFER: Spark has {there}"
        print(f"{name:<28}{rows:>8,}  {checksum}  {word}")
    return {name: one for name, (_, one) in wanted.items()} == dict(found)


def _print_of(rows: Iterable[Sequence[Any]]) -> Print:
    """The number of rows, and the sum of their digests, which knows no order."""
    number = total = 0
    for row in rows:
        digest = hashlib.sha256(json.dumps(list(row), default=str).encode()).digest()
        number, total = number + 1, total + int.from_bytes(digest[:8])
    return number, f"{total % 2**64:016x}"


def _csq(settings: Mapping[str, str], *words: str) -> None:
    others = {name: "" for name in os.environ if name.startswith("CSQ_")}
    done = subprocess.run([_CSQ, *words], env={**os.environ, **others, **settings}, check=False)
    if done.returncode not in (0, _WARNED):
        raise subprocess.CalledProcessError(done.returncode, ["csq", *words])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
