"""What a sync report says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from csq_assets.dataconnect.sync_report import SyncReport, parse_sync_report
from csq_assets.errors import ReportError


def parse(**fields: Any) -> SyncReport:
    return parse_sync_report(json.dumps(fields).encode())


def refusal_of(body: bytes) -> str:
    with pytest.raises(ReportError) as refused:
        parse_sync_report(body)
    return str(refused.value)


@pytest.mark.edge(74)
def test_milliseconds_become_instants_in_utc() -> None:
    report = parse(
        start_time=1772341200000,
        finish_time=1772343000123,
        status="succeeded",
        next_sync_at=1772427600000,
        error=None,
    )
    assert report == SyncReport(
        start_time=datetime(2026, 3, 1, 5, tzinfo=UTC),
        finish_time=datetime(2026, 3, 1, 5, 30, 0, 123_000, tzinfo=UTC),
        status="succeeded",
        next_sync_at=datetime(2026, 3, 2, 5, tzinfo=UTC),
        error=None,
    )
    assert report.succeeded


@pytest.mark.edge(74)
def test_fields_that_are_missing_or_null_are_none() -> None:
    fields = ("start_time", "finish_time", "status", "next_sync_at", "error")
    assert parse() == parse(**dict.fromkeys(fields)) == SyncReport(None, None, None, None, None)


def test_unknown_fields_are_ignored() -> None:
    assert parse(status="succeeded", dump_id={"of": 7}) == SyncReport(status="succeeded")


@pytest.mark.parametrize("status", ["failed", "SUCCEEDED", "succeeded ", "", None])
def test_whatever_is_not_succeeded_is_no_success(status: str | None) -> None:
    assert not parse(status=status).succeeded


@pytest.mark.parametrize(
    ("status", "words"), [("failed", '"failed"'), ("", "no status"), (None, "no status")]
)
def test_the_status_fits_into_a_sentence(status: str | None, words: str) -> None:
    assert SyncReport(status=status).status_in_words == words


@pytest.mark.edge(75)
@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("timeout", "timeout"),
        ("", ""),
        ({"code": 7, "message": "größer"}, '{"code": 7, "message": "größer"}'),
        (["a", None], '["a", null]'),
        (17, "17"),
        (False, "false"),
    ],
)
def test_an_error_of_any_shape_is_kept_as_text(error: Any, text: str) -> None:
    assert parse(error=error) == SyncReport(error=text)


def test_half_a_surrogate_pair_can_still_be_stored() -> None:
    assert parse(status="\ud800", error=["\udfff"]) == SyncReport(
        status="\\ud800", error='["\\udfff"]'
    )


@pytest.mark.parametrize("field", ["start_time", "finish_time", "next_sync_at"])
@pytest.mark.parametrize("value", ['"soon"', '""', "true", "[1]", "NaN", "1e400", "1" * 30])
def test_a_time_that_cannot_be_read_leaves_the_status(field: str, value: str) -> None:
    report = parse_sync_report(f'{{"status": "failed", "{field}": {value}}}'.encode())
    assert report == SyncReport(status="failed")


@pytest.mark.parametrize(
    "value",
    [1772341200, 1772341200000, "1772341200000", "2026-03-01T05:00:00Z", "2026-03-01 05:00 UTC"],
)
def test_a_time_is_an_epoch_or_a_text(value: float | str) -> None:
    assert parse(finish_time=value).finish_time == datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_a_status_that_is_not_text_is_no_success() -> None:
    report = parse_sync_report(b'{"status": {"code": 1}}')
    assert (report.status, report.succeeded) == ('{"code": 1}', False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (
            b'{"status": "succ',
            "not JSON: Unterminated string starting at: line 1 column 12 (char 11)",
        ),
        (b"[1]", "must be an object"),
        (b"null", "must be an object"),
    ],
)
def test_what_is_no_report_is_refused(body: bytes, said: str) -> None:
    assert refusal_of(body) == said


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b"[" * 100_000, b'{"start_time": ' + b"1" * 5000])
def test_bytes_of_any_kind_end_in_a_refusal(body: bytes) -> None:
    assert refusal_of(body).startswith(("not JSON: ", "not UTF-8: "))


def test_a_report_may_begin_with_a_byte_order_mark() -> None:
    body = b'{"status": "succeeded", "finish_time": 1772341200000}'
    assert parse_sync_report(b"\xef\xbb\xbf" + body) == parse_sync_report(body)
