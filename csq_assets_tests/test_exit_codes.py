"""What a pass ends with: errors of checks, and failures that are void by its end."""

import pytest

from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile, Delivery
from csq_assets_tests.platform import Platform

COLUMNS = {"sessions": ["user_id", "session_id"]}
FIRST, SECOND = {"user_id": 1, "session_id": 5}, {"user_id": 2, "session_id": 6}


def removal(partition: str) -> dict[str, object]:
    """The evaluation that tells of a column that is gone."""
    return {
        "asset": "csq/raw/users",
        "check": "column_drift",
        "partition": partition,
        "passed": False,
        "severity": "ERROR",
        "description": f'dump {partition} removes "b"',
    }


@pytest.mark.edge(69)
def test_an_error_on_a_dump_in_the_middle_is_exit_code_3(platform: Platform) -> None:
    for dump_id, row in ((9, {"a": 1, "b": 2}), (10, {"a": 1}), (11, {"a": 1, "b": 2})):
        platform.deliver(dump_id, users=[{"user_id": 1, **row}])
    ran = platform.csq("sync", "--json")
    document = ran.json()
    errors = [
        check
        for check in document["checks"]
        if check["severity"] == "ERROR" and not check["passed"]
    ]
    assert (errors, document["standing"], document["errors"]) == ([removal("10")], [], [])
    assert ran.code == 3

    again = platform.csq("sync", "--json")  # the newest partition has the last word
    assert [
        (check["partition"], check["severity"], check["description"])
        for check in again.json()["standing"]
    ] == [("11", "WARN", 'dump 11 adds "b"')]
    assert again.code == 0


@pytest.mark.edge(69)
def test_an_error_on_the_newest_dump_stands_in_later_passes(platform: Platform) -> None:
    for dump_id, row in ((9, {"b": 2}), (10, {})):
        platform.deliver(dump_id, users=[{"user_id": 1, **row}])
    assert platform.csq("sync").code == 3
    again = platform.csq("sync", "--json")
    kept = {"check": "columns_kept", "partition": None, "severity": "WARN"}
    assert again.json() == {
        "dumps": [],
        "checks": [],
        "standing": [removal("10"), {**removal("10"), "asset": "csq/current/users", **kept}],
        "errors": [],
    }
    assert again.code == 3


def deliver_a_void_failure(platform: Platform) -> Delivery:
    """Dump 1 with a damaged file, and dump 2, a full resync of the same table."""
    broken = platform.deliver(
        1,
        sessions=[AvroFile([FIRST], body=b"not Avro")],
        users=[{"user_id": 1}],
        columns=COLUMNS,
    )
    platform.deliver(2, sessions=[SECOND], users=[{"user_id": 2}], full_resync=("sessions",))
    return broken


def put_right(platform: Platform, broken: Delivery) -> None:
    (path,) = broken.paths["sessions"]
    platform.export.put(platform.export.key_of(path), encode_avro([FIRST]))


@pytest.mark.edge(51)
def test_a_failure_that_its_own_pass_makes_void_is_told_and_changes_no_exit_code(
    platform: Platform,
) -> None:
    broken = deliver_a_void_failure(platform)
    ran = platform.csq("sync", "--json")
    document = ran.json()
    assert (ran.code, document["errors"]) == (0, [])
    sessions, users = document["dumps"][0]["tables"]
    assert (sessions["status"], users["status"]) == ("void", "applied")
    assert sessions["error"].startswith(
        f"dump 1, table sessions, file {broken.paths['sessions'][0]}: "
    )


def statuses(platform: Platform) -> dict[int, str]:
    return {
        row["dump_id"]: row["status"]
        for row in platform.rows("dumps", "csq_meta")
        if row["table_name"] == "sessions"
    }


@pytest.mark.edge(7, 51)
@pytest.mark.parametrize("is_delivered_again", [False, True])
def test_a_dump_that_is_no_longer_void_is_decoded_in_the_same_pass(
    platform: Platform, *, is_delivered_again: bool
) -> None:
    broken = deliver_a_void_failure(platform)
    assert platform.sync().exit_code == 0
    assert [row["_dump_id"] for row in platform.rows("sessions")] == [2]

    put_right(platform, broken)
    tables = {"users": [{"user_id": 2}], **({"sessions": [SECOND]} if is_delivered_again else {})}
    platform.deliver(2, **tables)  # without the full resync, or as an increment
    summary = platform.sync()
    assert (summary.errors, summary.exit_code) == ((), 0)
    decoded = {dump.dump_id: [table.table for table in dump.tables] for dump in summary.dumps}
    assert decoded == {1: ["sessions"], 2: list(tables)}
    assert [(row["session_id"], row["_dump_id"]) for row in platform.rows("sessions")] == (
        [(5, 1), (6, 2)] if is_delivered_again else [(5, 1)]
    )
    assert statuses(platform) == {1: "applied", **({2: "applied"} if is_delivered_again else {})}


@pytest.mark.edge(7, 51)
def test_a_dump_that_is_no_longer_void_and_still_broken_is_an_error_of_the_same_pass(
    platform: Platform,
) -> None:
    deliver_a_void_failure(platform)
    platform.sync()
    platform.deliver(2, users=[{"user_id": 2}])
    summary = platform.sync()
    assert [error.split(",")[0] for error in summary.errors] == ["dump 1"]
    assert summary.exit_code == 1
    assert "sessions" not in platform.relations()
    assert statuses(platform) == {1: "failed"}
