"""What Dagster asks of a job on Spark, and what the job answers. Both travel as JSON."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.errors import StorageError
from csq_assets.warehouse.applied_state import TableState


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables are: a catalog of Spark, and the folder of a catalog that Spark does not know.

    `namespace` begins the names of the schemas, so that several exports can share a catalog.
    """

    catalog: str
    folder: str
    namespace: str = "csq"


@dataclass(frozen=True, slots=True)
class Partition:
    """A dump of one table that counts: its Parquet file in the lake, the columns of its manifest, and
    the number of rows that the ledger knows."""

    dump_id: int
    content: str
    path: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class RefreshIdentity:
    """Bring the identity map to what these migrations say."""

    migrations: Partition | None
    rebuild: bool = False
    kind: Literal["identity"] = "identity"


@dataclass(frozen=True, slots=True)
class RefreshTable:
    """Bring a current table to what these dumps say. Without dumps it is dropped."""

    table: str
    dumps: tuple[Partition, ...]
    rebuild: bool = False
    buckets: int = 16
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class AuditTable:
    """Look at all keys of a current table; change nothing."""

    table: str
    kind: Literal["audit"] = "audit"


@dataclass(frozen=True, slots=True)
class RefreshEvents:
    """Bring `all_events` to what these event tables hold."""

    tables: tuple[str, ...]
    kind: Literal["events"] = "events"


@dataclass(frozen=True, slots=True)
class Maintain:
    """Compact small files, and expire snapshots that are older than so many days."""

    tables: tuple[str, ...]
    keep_days: int = 7
    kind: Literal["maintain"] = "maintain"


ERROR = "csq_error"  # names a message that says what a person can do

Work: TypeAlias = RefreshIdentity | RefreshTable | AuditTable | RefreshEvents | Maintain


@dataclass(frozen=True, slots=True)
class Request:
    """A piece of work, and where."""

    place: Place
    work: Work


@dataclass(frozen=True, slots=True)
class Answer:
    """What the work found. `state` is how the table stands now, None where there is none; `columns`
    are those of the relation, each with its type, and `rows` their number."""

    kind: str
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict[str, str])
    table: TableAudit | None = None
    state: TableState | None = None
    identity: IdentityAudit | None = None


REQUESTS, ANSWERS = TypeAdapter(Request), TypeAdapter(Answer)


def dumped(request: Request) -> dict[str, Any]:
    """The request, as JSON has it."""
    return REQUESTS.dump_python(request, mode="json")


def answer_of(work: Work, messages: Any) -> Answer:
    """The answer among the messages of a job that ended. Raises StorageError where there is not just
    one, or it answers something else."""
    try:
        (message,) = messages
        answer = ANSWERS.validate_python(message)
    except (ValueError, TypeError, ValidationError):
        raise _wrong(f"{len(messages)} messages came, and none is an answer") from None
    if answer.kind != work.kind:
        raise _wrong(f'it answers "{answer.kind}" where "{work.kind}" was asked')
    if isinstance(work, RefreshTable | AuditTable):
        if answer.table is None or answer.table.table != work.table:
            raise _wrong(f"it says nothing of the table {work.table}")
        if isinstance(work, RefreshTable):
            asked = [(dump.dump_id, dump.content) for dump in work.dumps]
            applied = answer.state.dumps if answer.state else ()
            if [(dump.dump_id, dump.content) for dump in applied] != asked:
                raise _wrong("it applied other dumps than those that were asked for")
    if isinstance(work, RefreshIdentity) and answer.identity is None:
        raise _wrong("it says nothing of the identity map")
    return answer


def _wrong(problem: str) -> StorageError:
    return StorageError(
        f"the answer of the job on Spark cannot be used: {problem}",
        remedy="Let the cluster run the same version of csq_assets, and run csq sync again.",
    )
