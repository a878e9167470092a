"""What Dagster and a job tell one another survives JSON, and a wrong answer is refused."""

import json
from dataclasses import replace

import pytest

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.tables import TableKind
from csq_assets.errors import StorageError
from csq_assets.spark.messages import (
    ANSWERS,
    REQUESTS,
    Answer,
    AuditTable,
    Maintain,
    Partition,
    Place,
    RefreshEvents,
    RefreshIdentity,
    RefreshTable,
    Request,
    Work,
    answer_of,
    dumped,
)
from csq_assets.spark.table_state import Commit
from csq_assets.warehouse.applied_state import AppliedDump, TableState

DUMP = Partition(8, "c8", "s3://lake/raw/users/dump_id=8/data.parquet", ("user_id", "é`\"'"), 3)
WORK = RefreshTable("users", (DUMP,))
STATE = TableState(TableKind.USERS, 12, (AppliedDump(8, "c8", 3, DUMP.columns),), 1, 0, 0)
ANSWER = Answer(
    "table", rows=2, table=TableAudit("users", change="replayed", rows_in=3), state=STATE
)


@pytest.mark.parametrize(
    "work",
    [
        RefreshIdentity(DUMP),
        RefreshIdentity(None, rebuild=True),
        WORK,
        AuditTable("users"),
        RefreshEvents(("pageviews", "clicks")),
        Maintain(("users",), keep_days=3),
    ],
)
def test_requests_travel_as_json(work: Work) -> None:
    request = Request(Place("csq", "s3://lake/iceberg"), work)
    assert REQUESTS.validate_json(json.dumps(dumped(request))) == request


def test_answers_travel_as_json() -> None:
    told = json.loads(json.dumps(ANSWERS.dump_python(ANSWER, mode="json")))
    assert answer_of(WORK, [told]) == ANSWER


def test_a_commit_reads_what_it_wrote() -> None:
    later = AppliedDump(9, "c9", 1, DUMP.columns)
    commit = Commit(replace(STATE, dumps=(*STATE.dumps, later)), 77, ("user_id", "plan"))
    told = json.loads(json.dumps(commit.dumped()))
    assert told["columns"] == [list(DUMP.columns)]  # once, as both dumps have them
    assert Commit.loaded(told) == commit


OTHER = replace(STATE, dumps=(AppliedDump(8, "other", 3, DUMP.columns),))
WRONG: list[tuple[Work, list[object], str]] = [
    (WORK, [], "0 messages came"),
    (WORK, [ANSWER, ANSWER], "2 messages came"),
    (WORK, ["done"], "1 messages came"),
    (WORK, [Answer("events")], 'it answers "events"'),
    (WORK, [replace(ANSWER, table=None)], "says nothing of the table users"),
    (WORK, [replace(ANSWER, table=TableAudit("sessions"))], "says nothing of the table users"),
    (WORK, [replace(ANSWER, state=None)], "it applied other dumps"),
    (WORK, [replace(ANSWER, state=OTHER)], "it applied other dumps"),
    (RefreshIdentity(None), [Answer("identity")], "says nothing of the identity map"),
]


@pytest.mark.parametrize(("work", "messages", "problem"), WRONG)
def test_a_wrong_answer_is_refused(work: Work, messages: list[object], problem: str) -> None:
    told = [
        ANSWERS.dump_python(one, mode="json") if isinstance(one, Answer) else one
        for one in messages
    ]
    with pytest.raises(StorageError, match="cannot be used") as refused:
        answer_of(work, told)
    assert problem in str(refused.value)


def test_the_identity_map_is_answered() -> None:
    answer = Answer(
        "identity", identity=IdentityAudit(dump_id=8, cycles=1, cycle_examples=((1, 2),))
    )
    told = json.loads(json.dumps(ANSWERS.dump_python(answer, mode="json")))
    assert answer_of(RefreshIdentity(DUMP), [told]) == answer
