"""The identity map in Iceberg: from_user_id, user_id, only of ids that change."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from csq_assets.dataconnect.audits import IdentityAudit
from csq_assets.dataconnect.tables import USER_IDENTITY
from csq_assets.spark.delivered import read_partition
from csq_assets.spark.dialect import pyspark, spark_sql
from csq_assets.spark.iceberg import Head, IcebergTable
from csq_assets.spark.messages import Answer, Partition, Place, RefreshIdentity
from csq_assets.spark.views import Views
from csq_assets.warehouse.identity_pairs import follow_pairs
from csq_assets.warehouse.identity_sql import CAST_PAIRS, PAIRS_IN_FORCE, RESOLVED_IDS

_AUDITS = TypeAdapter(IdentityAudit)
_COLUMNS = "from_user_id bigint, user_id bigint"
_VIEWS = {name: f"csq_{name}" for name in ("delivered", "pairs", "hops", "followed")}


def lasting_state(head: Head) -> dict[str, Any]:
    """The state as another commit may repeat it: it names the snapshot that it came with."""
    return {**head.state, "version": head.state["version"] or head.written}


class IdentityTable:
    """The map as it stands. `version` is the snapshot that last changed what it says, 0 before one."""

    def __init__(self, spark: Any, place: Place) -> None:
        self._spark, self._views = spark, Views(spark)
        self.table = IcebergTable(spark, place, "_meta", USER_IDENTITY)
        self._head = self.table.head()

    @property
    def version(self) -> int:
        if self._head is None:
            return 0
        return lasting_state(self._head)["version"]

    def show(self, view: str) -> None:
        """Let the map be read as `view`."""
        self._map(self.version).createOrReplaceTempView(view)

    def changed_since(self, version: int) -> tuple[Any, bool] | None:
        """The ids that resolve otherwise than at that version, `user_id`, and `next_user_id`; None
        where none does. Where that snapshot is gone, the whole map, and that it is."""
        if version == self.version:
            return None
        if version and not self.table.has_snapshot(version):
            return self._map(self.version).toDF("user_id", "next_user_id"), True
        return self._differing(self._map(version), self._map(self.version)), False

    def refresh(self, work: RefreshIdentity) -> Answer:
        """Bring the map to what the migrations say. Raises StorageError; the map is unchanged."""
        wanted = [work.migrations.dump_id, work.migrations.content] if work.migrations else None
        state = self._head.state if self._head else None
        if state is not None and state["migrations"] == wanted and not work.rebuild:
            audit = _AUDITS.validate_python(state["audit"])
            return self._answer(replace(audit, changed=False, users_changed=0))
        resolved, audit = self._resolve(work.migrations)
        self._views.hold(resolved)
        changed = self._differing(self._map(self.version), resolved).count()
        audit = replace(
            audit,
            changed=changed > 0,
            users_changed=changed,
            users_resolved=resolved.count(),
        )
        state = {"migrations": wanted, "audit": _AUDITS.dump_python(audit, mode="json")}
        if self._head is None:
            self.table.replace(resolved, {**state, "version": None}, buckets=None)
        elif changed:
            everything = pyspark("sql.functions").lit(True)  # noqa: FBT003  # Spark's own
            told = {**state, "version": None}
            self.table.overwrite(resolved, everything, told, since=self._head.snapshot)
        else:
            self.table.note({**state, "version": self.version}, since=self._head.snapshot)
        self._views.close()  # a partition that is replaced later is read anew
        self._head = self.table.head()
        return self._answer(audit)

    def _map(self, version: int) -> Any:
        if not version or self._head is None:
            return self._spark.createDataFrame([], _COLUMNS)
        return self.table.frame(self._head.snapshot if version == self.version else version)

    def _differing(self, before: Any, after: Any) -> Any:
        before.createOrReplaceTempView("csq_map_before")
        after.createOrReplaceTempView("csq_map_after")
        return self._spark.sql(
            "SELECT coalesce(before.from_user_id, after.from_user_id) AS user_id, "
            "coalesce(after.user_id, before.from_user_id) AS next_user_id "
            "FROM csq_map_before AS before FULL JOIN csq_map_after AS after "
            "ON after.from_user_id = before.from_user_id "
            "WHERE NOT before.user_id <=> after.user_id"
        )

    def _resolve(self, migrations: Partition | None) -> tuple[Any, IdentityAudit]:
        spark = self._spark
        if migrations is None:
            return self._map(0), IdentityAudit()
        texts = {"from_user_id": "from_text", "to_user_id": "to_text"}
        read_partition(spark, migrations, texts).createOrReplaceTempView(_VIEWS["delivered"])
        for view, statement in (("pairs", CAST_PAIRS), ("hops", PAIRS_IN_FORCE)):
            self._views.compute(_VIEWS[view], spark_sql(statement, _VIEWS))
        followed, audit = follow_pairs(self._query)
        spark.createDataFrame(followed, _COLUMNS).createOrReplaceTempView(_VIEWS["followed"])
        audit = replace(audit, dump_id=migrations.dump_id)
        return spark.sql(spark_sql(RESOLVED_IDS, _VIEWS)), audit

    def _query(self, select: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._spark.sql(spark_sql(select, _VIEWS)).collect()]

    def _answer(self, audit: IdentityAudit) -> Answer:
        columns = self.table.columns()
        return Answer("identity", rows=audit.users_resolved, columns=columns, identity=audit)
