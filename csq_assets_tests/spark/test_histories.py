"""Spark and Iceberg after each pass: every table is what a replay from nothing gives.

`make test-spark` executes it: CSQ_TEST_SPARK is the Python that has pyspark.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from csq_assets.spark.messages import Place, RefreshTable
from csq_assets_tests.spark.engine import SparkHarness
from csq_assets_tests.spark.session import Session
from csq_assets_tests.warehouse.deliveries import delivered

PYTHON = os.environ.get("CSQ_TEST_SPARK", "")  # without it, nobody collects this
pytestmark = pytest.mark.slow
# Tiny tables: no code is compiled for them, and one thread is enough.
CONF = {
    "spark.master": "local[1]",
    "spark.driver.memory": "1g",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
MIGRATIONS = "from_user_id to_user_id"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("spark")
    packages = Path(PYTHON).parent.parent.glob("lib/python*/site-packages")
    (jar,) = (
        jar
        for one in packages
        for jar in one.glob("snowpark*/jars/iceberg-spark-runtime-3.5_2.12*.jar")
    )
    options = [word for name, value in CONF.items() for word in ("--conf", f"{name}={value}")]
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    opened = Session(
        Path(PYTHON),
        ["--driver-java-options", java, "--jars", str(jar), *options],
        {"PYSPARK_PYTHON": PYTHON, "SPARK_LOCAL_DIRS": str(folder)},
        folder / "log",
    )
    yield opened
    opened.close()


@pytest.fixture
def harness(session: Session, tmp_path: Path) -> SparkHarness:
    return SparkHarness(tmp_path, session=session, place=Place("csq", str(tmp_path / "iceberg")))


def test_tables_follow_dumps_and_migrations(harness: SparkHarness) -> None:
    harness.deliver(
        8,
        {
            "users": delivered(
                "user_id joindate plan",
                (1, "5", "a"),
                (2, "3", None),
                (None, None, "c"),
                full_resync=True,
            ),
            "pageviews": delivered(
                "event_id user_id time path",
                *((1, 1, "0", "a"), (1, 2, "1", "b"), (2, 3, "2", "c"), (None, 1, "x", "y")),
                full_resync=True,
            ),
            "user_migrations": delivered(MIGRATIONS, ("1", "2")),
        },
    )
    harness.sync()  # two users are one, and one event of each has lost
    harness.deliver(
        9,
        {
            "users": delivered("user_id joindate plan", (1, "1", "z"), (4, "3", None)),
            "pageviews": delivered(
                "event_id user_id time path new", (1, 1, "0", "A", "n"), (7, 2, "1", "b", None)
            ),
            "user_migrations": delivered(MIGRATIONS, ("1", "3"), ("x", "4")),
        },
    )
    harness.sync()  # re-pointed: the event that had lost is back, and a column is added
    assert harness.session
    assert harness.place
    again = harness.refreshed("pageviews")
    assert again.table
    assert again.table.change == "unchanged"  # as of a job that is executed again after its commit


def test_a_request_without_dumps_drops_the_table(harness: SparkHarness) -> None:
    harness.deliver(8, {"notes": delivered("text", ("a",), (None,))})
    harness.sync()
    answer = harness.launch(RefreshTable("notes", ()))
    assert answer.table
    assert (answer.table.change, answer.state) == ("dropped", None)
