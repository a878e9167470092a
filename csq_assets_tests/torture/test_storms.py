"""A few syncs through a server that fails now and then, and some that it kills."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets_tests.torture.storms import sea

pytestmark = [pytest.mark.slow, pytest.mark.s3]
PASSING = (
    "reset after the deed",
    "cut",
    "chunked, and cut",
    "one bit flipped",
    "500 after the deed",
    "no ETag",
)


def test_a_sync_goes_through_faults_and_a_kill() -> None:
    with TemporaryDirectory(prefix="torture-") as folder, sea(Path(folder)) as found:
        stormy = found.sail(PASSING, seed=2, share=0.1)
        assert stormy.hit > 0
        assert stormy.differences == ()
        killed = [found.kill_at(40), found.kill_at(60, after=True)]
        assert [(kill.landed, kill.differences) for kill in killed] == [(True, ())] * 2
        sent = {request.method for request in found.faulty.requests if "uploadId" in request.path}
        assert sent >= {"PUT", "POST"}  # parts, and what completes them
