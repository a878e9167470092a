"""What every check says, word by word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.check_registry import (
    REGISTRY,
    Finding,
    Severity,
    Subject,
    Table,
    Verdict,
    check,
    checks_on,
    evaluate,
)
from csq_assets.dataconnect.checks import CurrentFacts, RawFacts, RowFacts, evaluate_export
from csq_assets.dataconnect.column_types import ColumnType, TypeAudit, Widened
from csq_assets.dataconnect.drift import ColumnDrift, Retyped
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.raw_schema import ReplacedTexts
from csq_assets.dataconnect.relation import Relation
from csq_assets_tests.dataconnect.seen import (
    at,
    catalog,
    manifest,
    not_passed,
    passed,
    report,
)

WARN, ERROR = Severity.WARN, Severity.ERROR
AGREES = RawFacts(
    dump_id=1235,
    previous_dump_id=1234,
    drift=ColumnDrift(),
    files=3,
    lacking={},
    extra={},
    respelled={},
    nulls={},
    rows=12_345,
)
FIVE, DUE = at(5), at(5, day=2)
DUE_SOON = report("2026-03-01.json", finish=at(5, 30), next_sync_at=DUE)


def found(subject: Subject, check: str, facts: object) -> Finding:
    finding = next(one for one in evaluate(subject, facts) if one.check == check)
    assert finding.passed or finding.severity in REGISTRY[check].severities
    return finding


def raw(check: str, facts: RawFacts) -> Finding:
    return found("raw", check, facts)


def test_each_check_says_what_it_evaluates_and_what_to_do() -> None:
    """The sentences themselves are on the page docs/checks.md, which a test compares with them."""
    for one in REGISTRY.values():
        assert one.description.endswith("."), one.name
        assert one.remedy.endswith("."), one.name
    assert [one.name for one in checks_on("manifests")] == ["manifest_readable"]


def test_a_new_check_is_one_entry() -> None:
    @check(on="manifests", severities=(WARN,), remedy="Do nothing.")
    def always_fine(_facts: object) -> Verdict:
        """Nothing is wrong."""
        return Verdict(True, WARN, "fine")

    try:
        assert evaluate("manifests", ()) == (
            passed("manifest_readable", ERROR, "all manifests are valid"),
            passed("always_fine", WARN, "fine"),
        )
        assert REGISTRY["always_fine"].description == "Nothing is wrong."
    finally:
        del REGISTRY["always_fine"]


def test_an_export_in_order_passes() -> None:
    seen = catalog(manifest(12), reports=[DUE_SOON])
    assert list(evaluate_export(seen, now=at(12))) == [
        ("csq/sync_reports", passed("sync_succeeded", ERROR, "2026-03-01.json says succeeded")),
        (
            "csq/sync_reports",
            passed("sync_on_time", WARN, "the next sync is announced for 2026-03-02 05:00 UTC"),
        ),
        ("csq/manifests", passed("manifest_readable", ERROR, "all manifests are valid")),
    ]


def test_without_reports_only_manifests_are_judged() -> None:
    assert list(evaluate_export(catalog(reports=[]), now=at(12))) == [
        ("csq/manifests", passed("manifest_readable", ERROR, "all manifests are valid"))
    ]


@pytest.mark.edge(8)
def test_every_manifest_that_is_not_valid_is_told() -> None:
    said = ["manifest manifests/sync_1.json: not JSON", "manifest manifests/sync_2.json: not UTF-8"]
    seen = replace(catalog(reports=[]), unreadable=tuple(said))
    assert list(evaluate_export(seen, now=at(12))) == [
        ("csq/manifests", not_passed("manifest_readable", ERROR, "; ".join(said)))
    ]


@pytest.mark.edge(72, 75)
@pytest.mark.parametrize(
    ("status", "error", "description"),
    [
        ("failed", None, '2026-03-01.json says "failed"'),
        ("failed", '{"code": 7}', '2026-03-01.json says "failed": {"code": 7}'),
        ("partially done", "", '2026-03-01.json says "partially done"'),
        (None, None, "2026-03-01.json says no status"),
        (None, "timeout", "2026-03-01.json says no status: timeout"),
    ],
)
def test_a_newest_report_that_says_anything_else_fails(
    status: str | None, error: str | None, description: str
) -> None:
    newest = report("2026-03-01.json", status, finish=at(5), error=error)
    seen = catalog(reports=[report("2026-02-28.json", finish=at(4)), newest])
    assert next(evaluate_export(seen, now=at(12))) == (
        "csq/sync_reports",
        not_passed("sync_succeeded", ERROR, description),
    )


def on_time(
    now: datetime, *, manifest_came: datetime = FIVE, due: datetime | None = DUE
) -> Finding:
    newest = report("2026-03-01.json", finish=at(5, 30), next_sync_at=due)
    seen = catalog(manifest(12, modified=manifest_came), reports=[newest])
    return next(one for _, one in evaluate_export(seen, now) if one.check == "sync_on_time")


@pytest.mark.edge(76)
def test_a_sync_is_late_an_hour_after_it_was_announced() -> None:
    announced = passed("sync_on_time", WARN, "the next sync is announced for 2026-03-02 05:00 UTC")
    late = not_passed(
        "sync_on_time",
        WARN,
        "a sync was announced for 2026-03-02 05:00 UTC, but nothing was delivered",
    )
    assert on_time(at(6, day=2)) == announced
    assert on_time(at(6, day=2) + timedelta(seconds=1)) == late
    assert on_time(at(7, day=2), manifest_came=DUE - timedelta(minutes=1)) == late
    assert on_time(at(7, day=2), manifest_came=DUE) == announced


def test_a_report_may_announce_nothing_or_the_end_of_time() -> None:
    assert on_time(at(12), due=None) == passed(
        "sync_on_time", WARN, "2026-03-01.json announces no next sync"
    )
    assert on_time(at(12), due=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)) == passed(
        "sync_on_time", WARN, "the next sync is announced for 9999-12-31 23:59 UTC"
    )


def test_a_partition_in_order_passes() -> None:
    assert evaluate("raw", AGREES) == (
        passed("column_drift", WARN, "same columns as dump 1234"),
        passed("columns_match_manifest", WARN, "files and manifest agree"),
        passed("text_valid", WARN, "all text is UTF-8"),
        passed("keys_not_null", WARN, "no null in the key of 12,345 rows"),
    )


def test_the_first_dump_of_a_table_has_nothing_to_differ_from() -> None:
    first = replace(AGREES, previous_dump_id=None)
    assert raw("column_drift", first) == passed(
        "column_drift", WARN, "dump 1235 is the first of this table"
    )


@pytest.mark.edge(58, 69, 70)
@pytest.mark.parametrize(
    ("drift", "severity", "description"),
    [
        (ColumnDrift(added=("plan", "city")), WARN, 'dump 1235 adds "plan", "city"'),
        (ColumnDrift(removed=("tier",)), ERROR, 'dump 1235 removes "tier"'),
        (
            ColumnDrift(added=("plan",), removed=("tier",)),
            ERROR,
            'dump 1235 adds "plan", removes "tier"',
        ),
        (
            ColumnDrift(retyped=(Retyped("from_user_id", ("long",), ("string",)),)),
            ERROR,
            'dump 1235 changes "from_user_id" from long to string',
        ),
    ],
)
def test_drift_warns_of_additions_and_fails_else(
    drift: ColumnDrift, severity: Severity, description: str
) -> None:
    assert raw("column_drift", replace(AGREES, drift=drift)) == not_passed(
        "column_drift", severity, description
    )


@pytest.mark.edge(29, 30)
@pytest.mark.parametrize(
    ("differences", "description"),
    [
        ({"lacking": {"plan": 1}}, 'dump 1235: "plan" is missing in 1 of 3 files'),
        (
            {"extra": {"a": 3, "b": 1}},
            'dump 1235: "a" is not listed, in 3 of 3 files; "b" is not listed, in 1 of 3 files',
        ),
        (
            {"respelled": {"plan": (("Plan", 2), ("PLAN", 1))}},
            (
                'dump 1235: "plan" is spelled "Plan" in 2 of 3 files; '
                '"plan" is spelled "PLAN" in 1 of 3 files'
            ),
        ),
        (
            {"files": 1, "lacking": {"plan": 1}, "extra": {"a": 1}},
            'dump 1235: "plan" is missing in 1 of 1 file; "a" is not listed, in 1 of 1 file',
        ),
    ],
)
def test_files_with_other_columns_than_the_manifest_warn(
    differences: dict[str, Any], description: str
) -> None:
    facts = replace(AGREES, **differences)
    assert raw("columns_match_manifest", facts) == not_passed(
        "columns_match_manifest", WARN, description
    )


def test_text_that_was_replaced_is_counted() -> None:
    facts = replace(AGREES, replaced=ReplacedTexts(1_200, files=2, file="s3://b/a", row=7))
    assert raw("text_valid", facts) == not_passed(
        "text_valid",
        WARN,
        "1,200 sequences that are not UTF-8, replaced by U+FFFD in 2 files; first in s3://b/a, row 7",
    )


@pytest.mark.edge(40)
def test_nulls_in_a_key_are_counted_by_column() -> None:
    facts = replace(AGREES, nulls={"user_id": 1, "event_id": 1_200})
    assert raw("keys_not_null", facts) == not_passed(
        "keys_not_null", WARN, "user_id is null in 1, event_id is null in 1,200 of 12,345 rows"
    )


AUDIT = TableAudit(
    "users",
    rows_delivered=12_345,
    rows_kept=12_000,
    duplicates_total=300,
    merged_total=45,
)
IN_ORDER = RowFacts(has_key=True, audit=AUDIT)


def rows(**changes: Any) -> RowFacts:
    """The rows of a table in order, but for these facts of their audit."""
    return replace(IN_ORDER, audit=replace(AUDIT, **changes))


def test_rows_in_order_pass() -> None:
    assert evaluate("rows", IN_ORDER) == (
        passed("unique_key", ERROR, "every key among the rows that changed occurs once"),
        passed(
            "rows_reconcile",
            ERROR,
            "12,345 rows delivered, 12,000 kept, 345 dropped as duplicates",
        ),
        passed("type_widened", WARN, "every column has the type that it had"),
    )


def test_a_type_that_widens_is_told_without_a_value() -> None:
    count = Widened("count", ColumnType.BIGINT, ColumnType.VARCHAR, 1235)
    price = Widened("price", ColumnType.DOUBLE, ColumnType.VARCHAR, 1234)
    types = TypeAudit(
        (count, price),
        {"day": (ColumnType.DATE, 1), "at": (ColumnType.TIMESTAMP, 1_200)},
        ("gone",),
    )
    finding = found("rows", "type_widened", replace(IN_ORDER, types=types))
    assert finding == not_passed(
        "type_widened",
        WARN,
        'dump 1235 makes "count" VARCHAR, it was BIGINT; '
        'dump 1234 makes "price" VARCHAR, it was DOUBLE; 1 value of "day" is no DATE; '
        '1,200 values of "at" are no TIMESTAMP; '
        'CSQ_TYPES names "gone", which the table does not have',
    )
    assert finding.metadata == {
        "widened": ("count", "price"),
        "widened_count": 2,
        "unfit": ("day", "at"),
        "unfit_count": 1_201,
        "absent": ("gone",),
        "types": Table(
            ("column", "before", "now", "dump"),
            (
                ("count", "BIGINT", "VARCHAR", "1235"),
                ("price", "DOUBLE", "VARCHAR", "1234"),
            ),
        ),
    }


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        (
            rows(audited_all=True),
            passed("unique_key", ERROR, "every key in the table occurs once"),
        ),
        (
            replace(IN_ORDER, has_key=False),
            passed("unique_key", ERROR, "rows of this table have no key"),
        ),
        (
            rows(duplicated_keys=1_200, audited_all=True),
            not_passed("unique_key", ERROR, "1,200 keys occur twice in the table"),
        ),
        (
            rows(duplicated_keys=2),
            not_passed("unique_key", ERROR, "2 keys occur twice among the rows that changed"),
        ),
    ],
)
def test_a_key_occurs_once(facts: RowFacts, finding: Finding) -> None:
    assert found("rows", "unique_key", facts) == finding


def test_a_row_that_went_astray_is_counted() -> None:
    assert found("rows", "rows_reconcile", rows(rows_kept=10_000)) == not_passed(
        "rows_reconcile",
        ERROR,
        "12,345 rows delivered, 10,000 kept, 345 dropped as duplicates: 2,000 unaccounted for",
    )


TABLE = Relation("csq/current/users", 3, newest_dump=14, columns=("user_id",))


def current(
    plan: TablePlan, *, pending: tuple[int, ...] = (), relation: Relation | None = TABLE
) -> tuple[Finding, ...]:
    return evaluate("current", CurrentFacts(plan, pending, relation))


def test_a_current_table_in_order_passes() -> None:
    assert current(TablePlan(apply=(12, 14), void=(9,))) == (
        passed("complete", ERROR, "every dump is in the table: up to dump 14"),
        passed("no_gap", ERROR, "no dump is held"),
        passed("columns_kept", WARN, "dump 14 removes no column"),
    )
    assert current(TablePlan(), relation=None) == (
        passed("complete", ERROR, "every dump is in the table: there is none"),
        passed("no_gap", ERROR, "no dump is held"),
        passed("columns_kept", WARN, "no dump is in the table"),
    )


@pytest.mark.parametrize(
    ("facts", "severity", "description", "missing"),
    [
        (
            CurrentFacts(TablePlan(apply=(14,), failed=(15,), gap=15), (), TABLE),
            ERROR,
            "dump 15 failed",
            {"failed": ("15",), "held": (), "pending": (), "missing_count": 1},
        ),
        (
            CurrentFacts(TablePlan(failed=(12, 16), held=(13, 15), gap=12), (17,)),
            ERROR,
            "dumps 12, 16 failed; dumps 13, 15 are held; dump 17 is not decoded yet",
            {
                "failed": ("12", "16"),
                "held": ("13", "15"),
                "pending": ("17",),
                "missing_count": 5,
            },
        ),
        (
            CurrentFacts(TablePlan(apply=(14,)), tuple(range(15, 22)), TABLE),
            WARN,
            "dumps 15, 16, 17, 18, 19 and 2 more are not decoded yet",
            {
                "failed": (),
                "held": (),
                "pending": ("15", "16", "17", "18", "19", "20", "21"),
                "missing_count": 7,
            },
        ),
        (
            CurrentFacts(TablePlan(apply=(14, 15)), (), TABLE),
            WARN,
            "dump 15 is not in the table yet",
            {"failed": (), "held": (), "pending": ("15",), "missing_count": 1},
        ),
    ],
)
def test_a_table_that_lacks_a_dump_is_not_complete(
    facts: CurrentFacts, severity: Severity, description: str, missing: dict[str, object]
) -> None:
    finding = found("current", "complete", facts)
    assert finding == not_passed("complete", severity, description)
    assert finding.metadata == missing


@pytest.mark.edge(50)
def test_what_is_held_is_told_with_its_gap() -> None:
    plan = TablePlan(apply=(12,), held=(14,), failed=(13,), gap=13)
    assert found("current", "no_gap", CurrentFacts(plan)) == not_passed(
        "no_gap", ERROR, "dump 14 is held behind dump 13, which failed"
    )
    held = CurrentFacts(replace(plan, held=(14, 15)))
    assert found("current", "no_gap", held) == not_passed(
        "no_gap", ERROR, "dumps 14, 15 are held behind dump 13, which failed"
    )
    assert found("current", "no_gap", CurrentFacts(replace(plan, held=()))).passed


def test_a_column_that_is_gone_is_an_error_while_it_is_used() -> None:
    plan = TablePlan(apply=(14,))
    lost = replace(TABLE, removed=("tier",), gone=("plan", "tier"))
    used = lost.with_uses({"Plan": ("marts/a", "marts/b"), "user_id": ("marts/a",)})
    assert current(plan, relation=lost)[2] == not_passed(
        "columns_kept", WARN, 'dump 14 removes "tier"'
    )
    (*_, finding) = current(plan, relation=used)
    assert finding == not_passed(
        "columns_kept",
        ERROR,
        'dump 14 removes "tier"; "plan" is gone, and used by marts/a, marts/b',
    )
    assert finding.metadata == {
        "removed": ("tier",),
        "removed_count": 1,
        "in_use": ("plan",),
        "in_use_count": 1,
        "uses": Table(("column", "used by"), (("plan", "marts/a"), ("plan", "marts/b"))),
    }
    assert current(plan, relation=replace(lost, removed=()))[2].passed


ALL_RESOLVE = IdentityAudit(
    pairs=1_234,
    refused=0,
    refused_examples=(),
    contested=0,
    contested_examples=(),
    cycles=0,
    cycle_examples=(),
)


@pytest.mark.edge(56, 57, 59)
@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        (
            ALL_RESOLVE,
            passed("migrations_resolve", ERROR, "every pair leads to one user"),
        ),
        (
            replace(ALL_RESOLVE, refused=2, refused_examples=("abc -> 1", "null -> 2")),
            not_passed(
                "migrations_resolve",
                ERROR,
                "of 1,234 pairs: 2 pairs ignored that cannot be cast (abc -> 1; null -> 2)",
            ),
        ),
        (
            replace(ALL_RESOLVE, contested=3, contested_examples=(12,)),
            not_passed(
                "migrations_resolve",
                WARN,
                "of 1,234 pairs: 3 users with several targets, the last one counts (12)",
            ),
        ),
        (
            replace(ALL_RESOLVE, cycles=2, cycle_examples=((40, 41), (3, 5, 9))),
            not_passed(
                "migrations_resolve",
                WARN,
                "of 1,234 pairs: 2 cycles, resolved to the smallest id ((40, 41); (3, 5, 9))",
            ),
        ),
        (
            replace(
                ALL_RESOLVE, refused=2, refused_examples=("x",), cycles=2, cycle_examples=((1, 2),)
            ),
            not_passed(
                "migrations_resolve",
                ERROR,
                "of 1,234 pairs: 2 pairs ignored that cannot be cast (x), "
                "2 cycles, resolved to the smallest id ((1, 2))",
            ),
        ),
    ],
)
def test_migrations_that_lead_astray_are_told(facts: IdentityAudit, finding: Finding) -> None:
    assert evaluate("user_identity", facts) == (finding,)
