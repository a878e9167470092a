"""What a tick of the sensor asks S3 for, once all dumps are taken."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.faulty_s3 import FaultyS3
from csq_assets_tests.platform import Platform, open_platform, tick

DUMPS = (11, 12, 13)
pytestmark = pytest.mark.s3


@pytest.fixture
def on_s3(
    directory_export: ExportBuilder, home: Path, faulty_s3: FaultyS3
) -> Iterator[tuple[Platform, FaultyS3]]:
    """A platform whose lake is in a bucket, with all dumps taken."""
    with open_platform(home, directory_export, "s3://customer/lake") as platform:
        for dump_id in DUMPS:
            platform.deliver(dump_id, users=[{"user_id": dump_id}])
        take(platform)
        yield platform, faulty_s3


def take(platform: Platform) -> None:
    platform.sync()
    platform.lake.ledger.fold()  # as the next pass does


def an_hour_passes() -> None:
    """S3's times go back instead: its server is in this process."""
    for stored in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["customer"].keys.values():
        stored.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)


def records_read(faulty: FaultyS3) -> list[str]:
    """Records of the ledger that were asked for since this was called before."""
    asked = [request for request in faulty.requests if request.method == "GET"]
    faulty.requests.clear()
    paths = (request.path.partition("?")[0] for request in asked if not request.is_listing)
    return sorted(path.partition("/lake/")[2] for path in paths if "/lake/ledger/" in path)


def test_a_record_is_read_again_only_where_it_changed(
    on_s3: tuple[Platform, FaultyS3],
) -> None:
    platform, faulty = on_s3
    defs = platform.definitions()
    every = [f"ledger/{dump_id}.json" for dump_id in DUMPS]
    an_hour_passes()
    records_read(faulty)

    assert "nothing new" in str(tick(platform.instance, defs))
    assert records_read(faulty) == every
    assert "nothing new" in str(tick(platform.instance, defs))
    # The page on operations says so: but for manifests and reports, which are in a directory here.
    assert len(faulty.requests) == (11 - 2) + len(("users", "user_identity"))
    assert records_read(faulty) == []

    platform.deliver(12, users=[{"user_id": 12}, {"user_id": 120}])
    take(platform)
    records_read(faulty)
    for _ in range(2):  # as long as it is new, each time
        assert "nothing new" in str(tick(platform.instance, defs))
        assert records_read(faulty) == ["ledger/12.json"]
