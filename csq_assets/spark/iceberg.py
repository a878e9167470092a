"""A relation as an Iceberg table, with what is applied to it in the summary of its newest snapshot."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from csq_assets.dataconnect.tables import ICEBERG_COLUMNS
from csq_assets.errors import StorageError
from csq_assets.spark.dialect import pyspark, quote
from csq_assets.spark.messages import Place

STATE = "csq.state"
_BRANCH = "csq_next_"
_BRANCH_DAYS = 1  # for which a branch is kept that a killed job has left
_PROPERTIES = {
    "format-version": "2",
    "write.merge.mode": "merge-on-read",
    "write.delete.mode": "merge-on-read",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "hash",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The snapshot that people see, the state of its rows, and the snapshot that brought the state."""

    snapshot: int
    state: Any
    written: int


class IcebergTable:
    """`<catalog>.<namespace><suffix>.<name>`. Spark's objects have no types to name."""

    def __init__(self, spark: Any, place: Place, suffix: str, name: str) -> None:
        self._spark = spark
        self._catalog = quote(place.catalog)
        self._schema = f"{self._catalog}.{quote(place.namespace + suffix)}"
        self.name = f"{self._schema}.{quote(name)}"

    def exists(self) -> bool:
        return self._spark.catalog.tableExists(self.name)

    def columns(self) -> dict[str, str]:
        """Each column with its type; none where there is no such table."""
        if not self.exists():
            return {}
        return {
            one.name: one.dataType.simpleString() for one in self._spark.table(self.name).schema
        }

    def frame(self, snapshot: int | None = None) -> Any:
        """The rows, now or as of a snapshot."""
        reader = self._spark.read.format("iceberg")
        if snapshot is not None:
            reader = reader.option("snapshot-id", str(snapshot))
        return reader.table(self.name)

    def has_snapshot(self, snapshot: int) -> bool:
        found = self._spark.sql(f"SELECT snapshot_id FROM {self.name}.snapshots")
        return any(row[0] == snapshot for row in found.collect())

    def head(self) -> Head | None:
        """What people see; the state is from before where rows were only put into other files since.
        None where the table is not ours, or somebody else changed it: it is to be replaced."""
        if not self.exists():
            return None
        head = here = self._main()
        found = self._spark.sql(
            f"SELECT snapshot_id, parent_id, operation, summary[{_text(STATE)}] "
            f"FROM {self.name}.snapshots"
        )
        snapshots = {snapshot: told for snapshot, *told in found.collect()}
        while head and here and here in snapshots:
            parent, operation, state = snapshots[here]
            if state is not None:
                return Head(head, json.loads(state), here)
            if operation != "replace":
                return None
            here = parent
        return None

    def replace(self, frame: Any, state: Any, *, buckets: int | None, by: str = "user_id") -> None:
        """Put `frame` in the place of what there is, by one commit. With `buckets`, its rows are
        partitioned by the bucket of `by`."""
        functions = pyspark("sql.functions")
        refuse_reserved(frame.columns)
        self._spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {self._schema}")
        writer = frame.writeTo(self.name).using("iceberg")
        writer = writer.option(f"snapshot-property.{STATE}", json.dumps(state))
        for name, value in _PROPERTIES.items():
            writer = writer.tableProperty(name, value)
        if buckets:
            writer = writer.partitionedBy(functions.bucket(buckets, by))
        elif by != "user_id":
            writer = writer.partitionedBy(functions.col(by))
        writer.createOrReplace()

    def add_columns(self, types: Mapping[str, str], after: Sequence[str]) -> None:
        """Add columns at their places among `after`, the order that there is to be."""
        for name, kind in types.items():
            refuse_reserved([name])
            place = list(after).index(name)
            where = f"AFTER {quote(after[place - 1])}" if place else "FIRST"
            self._spark.sql(f"ALTER TABLE {self.name} ADD COLUMN {quote(name)} {kind} {where}")

    def merge(
        self, changes: str, merge: str, state: Callable[[Any], dict[str, Any]], *, since: int
    ) -> dict[str, Any]:
        """Change rows as the clauses of `merge` say, from the view `changes`, and record the state,
        which is asked for with the rows as they will be; gives it.

        Raises StorageError where `since`, the snapshot that was read, is not what people see any more.
        """
        with self._branch(since) as branch:
            self._spark.sql(f"MERGE INTO {branch} AS known USING {changes} AS changes {merge}")
            told = state(self._spark.table(branch))
            self._append_nothing(branch, told)
        return told

    def overwrite(self, frame: Any, condition: Any, state: Any, *, since: int) -> None:
        """Put `frame` in the place of the rows that meet the condition. Raises as `merge`."""
        with self._branch(since) as branch:
            writer = frame.writeTo(branch).option(f"snapshot-property.{STATE}", json.dumps(state))
            writer.overwrite(condition)

    def note(self, state: Any, *, since: int) -> None:
        """Record the state, by a commit that changes no row. Raises as `merge`."""
        with self._branch(since) as branch:
            self._append_nothing(branch, state)

    @contextmanager
    def _branch(self, since: int) -> Iterator[str]:
        """A branch of its own from that snapshot on, which becomes what people see by one commit. A
        job that is killed leaves it to `expire_snapshots`.
        """
        name = f"{_BRANCH}{uuid.uuid4().hex}"
        alter = f"ALTER TABLE {self.name}"
        self._spark.sql(
            f"{alter} CREATE BRANCH {name} AS OF VERSION {since} RETAIN {_BRANCH_DAYS} DAYS"
        )
        try:
            yield f"{self.name}.branch_{name}"
            self._publish(name, since)
        finally:
            self._spark.sql(f"{alter} DROP BRANCH {name}")

    def _publish(self, branch: str, since: int) -> None:
        try:
            self.call("fast_forward", branch=_text("main"), to=_text(branch))
        except pyspark("errors").PySparkException:
            if self._main() == since:
                raise
            raise StorageError(
                "another job has changed the table meanwhile", remedy="Run csq sync again."
            ) from None

    def _append_nothing(self, branch: str, state: Any) -> None:
        writer = self.frame().limit(0).writeTo(branch)
        writer.option(f"snapshot-property.{STATE}", json.dumps(state)).append()

    def _main(self) -> int | None:
        """The snapshot that people see."""
        found = self._spark.sql(f"SELECT snapshot_id FROM {self.name}.refs WHERE name = 'main'")
        return next((row[0] for row in found.collect()), None)

    def roll_back(self, snapshot: int) -> None:
        """Let people see that snapshot again, if it is not what they see."""
        head = self.head()
        if head and head.snapshot != snapshot:
            self.call("set_current_snapshot", snapshot_id=str(snapshot))  # also of another line

    def drop(self) -> None:
        self._spark.sql(f"DROP TABLE IF EXISTS {self.name} PURGE")

    def call(self, procedure: str, **arguments: str) -> None:
        """Call one of Iceberg's procedures; arguments are SQL."""
        given = "".join(f", {name} => {value}" for name, value in arguments.items())
        self._spark.sql(
            f"CALL {self._catalog}.system.{procedure}(table => {_text(self.name)}{given})"
        )


def refuse_reserved(columns: Sequence[str]) -> None:
    """Raise StorageError for a column that Iceberg keeps for itself."""
    for column in columns:
        if column.lower() in ICEBERG_COLUMNS:
            raise StorageError(
                f'Iceberg has a column "{column}" of its own, so the table cannot have it',
                remedy="Put it into CSQ_DROP_COLUMNS, or rename it at Contentsquare.",
            )


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
