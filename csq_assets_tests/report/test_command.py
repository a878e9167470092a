"""`csq report`, from a real lake to a file."""

import subprocess
import sys

import pytest

from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform

WITHOUT_THE_EXTRA = """
import sys
sys.modules["vl_convert"] = None
from csq_assets.cli import main
main()
"""


@pytest.fixture
def reported(platform: Platform) -> Platform:
    """Two dumps, page views damaged in the second one; two of four users are merged."""
    users = [{"user_id": number} for number in range(1, 5)]
    pairs = [{"from_user_id": "1", "to_user_id": "2"}, {"from_user_id": "2", "to_user_id": "3"}]
    platform.deliver(12, users=users, pageviews=[{"user_id": 1, "event_id": 5}])
    platform.deliver(13, user_migrations=pairs, pageviews=[AvroFile(body=b"Obj\x01")])
    platform.sync()
    return platform


def test_a_report_is_written_where_it_is_asked_for(reported: Platform) -> None:
    ran = reported.csq("report")
    file = reported.folder / "csq-report.html"
    headline = "1 problem needs action."
    assert (ran.code, ran.stdout) == (0, "")
    assert ran.stderr == f"{headline} The report is in {file}\n"
    page = file.read_text()
    assert f'<h1 class="error">{headline}</h1>' in page
    assert "<dt>Users merged</dt><dd>2</dd>" in page
    assert "Ask Contentsquare to redeliver the dump, or replace the file in place." in page
    assert [path.name for path in reported.folder.glob("*csq-report*")] == [file.name]
    ran = reported.csq("report", "--out", "-")
    assert (ran.code, ran.stderr) == (0, f"{headline}\n")
    assert ran.stdout.splitlines()[0] == page.splitlines()[0] == "<!DOCTYPE html>"


def test_a_report_that_cannot_be_made_leaves_nothing(platform: Platform) -> None:
    ran = platform.csq("report", "--out", "nowhere/report.html")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == (
        "csq: nowhere/report.html cannot be written: No such file or directory. "
        "Name another file with --out.\n"
    )
    (platform.folder / "file").write_text("")
    for out, because in (
        ("file/report.html", "Not a directory"),
        (f"{'x' * 300}.html", "File name too long"),
    ):
        ran = platform.csq("report", "--out", out)
        assert (ran.code, ran.stdout) == (2, "")
        assert ran.stderr.endswith(
            f" cannot be written: {because}. Name another file with --out.\n"
        )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, "report"],
        cwd=platform.folder,
        env=platform.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "csq: the report needs the package vl_convert, which is not installed. "
        "Install csq_assets with its extra: pip install 'csq-assets[report]'.\n"
    )
    assert list(platform.folder.glob("*.html")) == []
