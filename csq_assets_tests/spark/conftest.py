"""A cluster for the tests that need one: CSQ_TEST_SPARK is the Python that has pyspark."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from csq_assets.spark.messages import Place
from csq_assets_tests.spark.cluster import Cluster, Software, cluster
from csq_assets_tests.spark.engine import SparkHarness
from csq_assets_tests.spark.event_log import EventLog
from csq_assets_tests.spark.s3 import BUCKET, CATALOG
from csq_assets_tests.spark.session import Session

# What needs Spark is collected where `make test-spark` names that Python, and nothing else then.
PYTHON = os.environ.get("CSQ_TEST_SPARK", "")
_NEED_SPARK = [
    f"test_{name}.py" for name in ("cluster", "histories", "jobs", "many_events", "on_emr")
]
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("test_*.py")
    if (path.name in _NEED_SPARK) != bool(PYTHON)
]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Many events take many minutes: they are for who asks for them."""
    return (
        collection_path.name == "test_many_events.py" and not config.getoption("--events")
    ) or None


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master, two workers and an S3 server."""
    with cluster(Software(Path(PYTHON)), tmp_path_factory.mktemp("cluster") / "files") as found:
        yield found


@pytest.fixture(scope="session")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """The log of `session`."""
    return EventLog(tmp_path_factory.mktemp("events"))


@pytest.fixture(scope="session")
def session(
    running: Cluster, event_log: EventLog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """One for all tests: it takes longer to start than most jobs."""
    conf = {
        **running.s3.catalog_conf,
        f"spark.sql.catalog.{CATALOG}.cache-enabled": "false",  # jobs write what it reads
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": event_log.folder.as_uri(),
    }
    with Session.opened(running, tmp_path_factory.mktemp("session") / "log", conf) as opened:
        yield opened


@pytest.fixture
def open_harness(running: Cluster, session: Session) -> Callable[[Path], SparkHarness]:
    """Opens a harness with a lake and a catalog of its own, for an export in a folder."""
    client = running.s3.client()

    def opened(folder: Path) -> SparkHarness:
        name = f"csq_{uuid4().hex}"
        lake_url = f"s3://{BUCKET}/{name}"
        place = Place(name, f"{lake_url}/iceberg")
        return SparkHarness(
            folder, session=session, place=place, lake_url=lake_url, s3_client=client
        )

    return opened


@pytest.fixture
def harness(open_harness: Callable[[Path], SparkHarness], tmp_path: Path) -> SparkHarness:
    return open_harness(tmp_path)
