"""Current tables after whole passes: what deliveries come to, through lake, ledger and DuckDB."""

import pytest

from csq_assets_tests.platform import Platform


@pytest.mark.edge(45)
def test_times_of_pairs_order_nothing_and_times_of_events_stay(platform: Platform) -> None:
    future = "2999-01-01T00:00:00Z"
    platform.deliver(
        12,
        pageviews=[{"event_id": 1, "user_id": 5, "time": future}],
        user_migrations=[
            {"from_user_id": 5, "to_user_id": 6, "time": future},
            {"from_user_id": 5, "to_user_id": 7, "time": "0"},
        ],
    )
    platform.sync()
    assert platform.rows("pageviews") == [
        {"event_id": 1, "user_id": 7, "time": future, "_raw_user_id": 5, "_dump_id": 12}
    ]


@pytest.mark.edge(5, 36)
def test_a_late_dump_takes_its_numeric_place(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "free"}], full_resync=True)
    platform.deliver(14, users=[{"user_id": 1, "plan": "pro"}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": 1, "plan": "trial"}, {"user_id": 2, "plan": "trial"}])
    platform.sync()
    assert platform.rows("users") == [
        {"user_id": 1, "plan": "pro", "_dump_id": 14},
        {"user_id": 2, "plan": "trial", "_dump_id": 13},
    ]


@pytest.mark.edge(54, 55, 63)
def test_identity_reaches_old_rows_and_can_be_taken_back(platform: Platform) -> None:
    view = {"event_id": 1, "path": "/a"}
    platform.deliver(12, pageviews=[{**view, "user_id": 11}, {**view, "user_id": 20}])
    platform.sync()
    assert [row["user_id"] for row in platform.rows("pageviews")] == [11, 20]
    platform.deliver(13, user_migrations=[{"from_user_id": 11, "to_user_id": 20}])
    platform.sync()
    assert platform.rows("pageviews") == [
        {"event_id": 1, "path": "/a", "user_id": 20, "_raw_user_id": 20, "_dump_id": 12}
    ]
    assert platform.rows("user_identity", "csq_meta") == [{"from_user_id": 11, "user_id": 20}]
    platform.deliver(14, user_migrations=[], columns={"user_migrations": ["from_user_id"]})
    platform.sync()
    assert [row["user_id"] for row in platform.rows("pageviews")] == [11, 20]


@pytest.mark.edge(38)
def test_all_events_has_a_row_for_each_table(platform: Platform) -> None:
    platform.deliver(
        12,
        pageviews=[{"event_id": 1, "user_id": 5, "session_id": 9, "time": "0"}],
        tables={"sign_up": [{"event_id": 1, "user_id": 5}]},
    )
    platform.sync()
    assert platform.rows("all_events") == [
        {
            "user_id": 5,
            "event_id": 1,
            "session_id": session_id,
            "time": time,
            "event_table_name": table,
            "_dump_id": 12,
        }
        for table, session_id, time in (("pageviews", 9, "0"), ("sign_up", None, None))
    ]


def test_what_csq_meta_tells_of_dumps(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.deliver(13, users=[{"user_id": 2}], full_resync=True)
    platform.sync()
    told = [
        {name: value for name, value in row.items() if name != "applied_at"}
        | {"applied": row["applied_at"] is not None}
        for row in platform.rows("dumps", "csq_meta")
    ]
    common = {"files": 1, "rows": 1}
    assert told == [
        {
            "dump_id": 12,
            "table_name": "sessions",
            "incremental": True,
            **common,
            "status": "applied",
            "applied": True,
        },
        {
            "dump_id": 12,
            "table_name": "users",
            "incremental": True,
            **common,
            "status": "void",
            "applied": False,
        },
        {
            "dump_id": 13,
            "table_name": "users",
            "incremental": False,
            **common,
            "status": "applied",
            "applied": True,
        },
    ]


def test_a_table_that_a_redelivery_does_not_list_any_more_is_gone(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.sync()
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    assert "sessions" not in platform.relations()
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]
