"""Fixtures for all tests: moto's S3 in this process, and an empty export in either place."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from hypothesis import settings
from moto.server import ThreadedMotoServer

from csq_assets.lake.bucket import BucketStore
from csq_assets.lake.directory import DirectoryStore
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.faulty_s3 import FaultyS3, serve_faulty_s3
from csq_assets_tests.platform import Platform, csq, make_home, open_platform
from csq_assets_tests.targets import DirectoryTarget, S3Target

BUCKET = "customer"
settings.register_profile("thorough", max_examples=2000)  # --hypothesis-profile thorough


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of moto's server, on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _point_the_sdk_at(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Points the AWS SDK at an empty S3, and away from whatever this machine has configured."""
    _point_the_sdk_at(s3_endpoint, monkeypatch)
    reset = Request(f"{s3_endpoint}/moto-api/reset", method="POST")  # noqa: S310  # an http address
    urlopen(reset).close()  # noqa: S310
    return s3_endpoint


@pytest.fixture(scope="session")
def s3_client_of_session(s3_endpoint: str) -> Iterator[Any]:
    """boto3's client, made once: that takes longer than most tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _point_the_sdk_at(s3_endpoint, monkeypatch)
        client = boto3.Session().client("s3")
    yield client
    client.close()


@pytest.fixture
def s3_client(s3_environment: str, s3_client_of_session: Any) -> Any:
    """boto3's client, with an empty bucket `customer`."""
    assert s3_environment
    s3_client_of_session.create_bucket(Bucket=BUCKET)
    return s3_client_of_session


@pytest.fixture
def faulty_s3(s3_client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    """Points the AWS SDK at a server that answers as a test wants it to, with one attempt each."""
    with serve_faulty_s3(s3_client.meta.endpoint_url) as faulty:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", faulty.endpoint)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield faulty


@pytest.fixture
def directory_export(tmp_path: Path) -> ExportBuilder:
    directory = tmp_path / "export"
    directory.mkdir()
    return ExportBuilder(DirectoryTarget(directory), bucket=BUCKET)


@pytest.fixture
def s3_export(s3_client: Any) -> ExportBuilder:
    return ExportBuilder(S3Target(s3_client, BUCKET), bucket=BUCKET)


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def export(request: pytest.FixtureRequest) -> ExportBuilder:
    """An empty export: once in a directory, once in a bucket."""
    return request.getfixturevalue(f"{request.param}_export")


@pytest.fixture
def directory_objects(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "my lake", setting="CSQ_LAKE_URL", must_exist=False)


@pytest.fixture
def s3_objects(s3_client: Any) -> BucketStore:
    return BucketStore(s3_client, "customer", "my lake/é", setting="CSQ_LAKE_URL")


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an instance's empty databases: creating them takes a second."""
    home = tmp_path_factory.mktemp("home")
    make_home(home)
    return home


@pytest.fixture
def home(empty_home: Path, tmp_path: Path) -> Path:
    """What DAGSTER_HOME is to be, of a test's own."""
    return Path(shutil.copytree(empty_home, tmp_path / "home"))


@pytest.fixture
def platform(directory_export: ExportBuilder, home: Path) -> Iterator[Platform]:
    """A platform over directories."""
    with open_platform(home, directory_export, str(home / "data" / "lake")) as opened:
        yield opened


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def either_platform(request: pytest.FixtureRequest, home: Path) -> Iterator[Platform]:
    """A platform over directories, then one with export and lake in buckets."""
    export: ExportBuilder = request.getfixturevalue(f"{request.param}_export")
    lake_url = str(home / "data" / "lake")
    if request.param == "s3":
        lake_url = "s3://ours/lake"
        request.getfixturevalue("s3_client").create_bucket(Bucket="ours")
    with open_platform(home, export, lake_url) as opened:
        yield opened


@pytest.fixture
def s3_platform(s3_export: ExportBuilder, home: Path) -> Iterator[Platform]:
    """A platform with its export in S3 and its lake in a folder, and a dump."""
    with open_platform(home, s3_export, str(home / "data" / "lake")) as opened:
        opened.deliver(12, users=[{"user_id": 1}])
        yield opened


@pytest.fixture
def sampled(home: Path, tmp_path: Path) -> Iterator[Platform]:
    """A platform over the sample export, nothing of it taken yet."""
    export = tmp_path / "sample"
    ran = csq(home, "sample", str(export), "--users", "60", environment={"PATH": ""})
    assert ran.code == 0, ran.stderr
    builder = ExportBuilder(DirectoryTarget(export), bucket="csq-rs3-acme")
    with open_platform(home, builder, str(home / "data" / "lake")) as opened:
        yield opened


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite what tests compare with")
    parser.addoption("--events", type=int, default=0, help="give Spark so many at once")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a file of golden/, or rewrites the file."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return compare
