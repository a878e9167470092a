"""Writes what was decided of a refresh: the hidden rows, then by one commit those that people see."""

from dataclasses import replace
from typing import Any

from csq_assets.dataconnect.tables import TableKind
from csq_assets.spark.dialect import quote, spark_sql
from csq_assets.spark.iceberg import IcebergTable
from csq_assets.spark.layout import DUMP_ROW, MERGED, OWN, Layout
from csq_assets.spark.table_state import Commit
from csq_assets.spark.views import Views
from csq_assets.warehouse.users_sql import merged_users

# What becomes of a row: brought in, given another user, replaced, taken away.
_IN, _MOVE, _REPLACE, _OUT = "'I'", "'M'", "'R'", "'D'"


class Writing:
    """Writes from the views that `Changes` leaves; `moves` says whether rows get another user."""

    def __init__(self, views: Views, kind: TableKind, layout: Layout, *, moves: bool) -> None:
        self._views, self._kind, self._layout, self._moves = views, kind, layout, moves
        self._merges = kind is TableKind.USERS
        self._inner = ", ".join(layout.every)

    def write(
        self,
        main: IcebergTable,
        hidden: IcebergTable,
        commit: Commit,
        *,
        buckets: int,
        since: int | None,
    ) -> Commit:
        """Write the hidden rows, then those that people see, with the commit, which is given as it was
        recorded. `since` and the commit's `hidden` are the snapshots that were read; None for a replay.
        """
        self._hide()
        if self._kind.key:
            commit = replace(commit, hidden=self._write_hidden(hidden, buckets, commit.hidden))
        self._merge_users()
        if since is None:
            frame = self._views.hold(
                self._views.spark.sql(
                    f"SELECT {self._layout.outside()} FROM (SELECT {self._inner} FROM csq_coming "
                    f"WHERE shown UNION ALL SELECT {self._inner} FROM csq_merged)"
                )
            )
            by_user = buckets if self._layout.has_users else None
            commit = self._finish(commit, frame)
            main.replace(frame, commit.dumped(), buckets=by_user)
            return commit
        moves = f"SELECT {_MOVE} AS op, judged.user_id AS was, {self._of_judged()}"
        self._views.compute(
            "csq_changes",
            f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_coming "
            "WHERE shown UNION ALL "
            f"{moves} FROM csq_judged AS judged WHERE shown AND wins AND next_id <> user_id UNION ALL "
            f"{moves.replace(_MOVE, _OUT)} FROM csq_judged AS judged WHERE shown AND NOT wins "
            f"UNION ALL SELECT {_IN}, CAST(NULL AS BIGINT), {self._inner} FROM csq_back "
            f"UNION ALL SELECT op, was, {self._inner} FROM csq_merged",
        )
        state = lambda rows: self._finish(commit, rows).dumped()  # noqa: E731
        return Commit.loaded(main.merge("csq_changes", self._clauses(), state, since=since))

    def _hide(self) -> None:
        """`csq_back`: hidden rows that are shown again. `csq_to_hide`: rows that are to be hidden.
        `csq_stay_hidden`: those that were and are; all with their texts."""
        inner = ", ".join(
            "judged.next_id AS user_id" if name == "user_id" else f"stored.{name}"
            for name in self._layout.every
        )
        joined = (
            f"SELECT {inner} FROM csq_stored AS stored JOIN csq_judged AS judged ON "
            "stored.dump_id = judged.dump_id AND stored.ordinal = judged.ordinal"
        )
        views = self._views
        views.make("csq_back", f"{joined} WHERE NOT judged.shown AND judged.wins")
        views.make("csq_stay_hidden", f"{joined} WHERE NOT judged.shown AND stays AND NOT wins")
        views.make(
            "csq_to_hide",
            f"{joined} WHERE judged.shown AND stays AND NOT wins UNION ALL "
            f"SELECT {self._inner} FROM csq_coming WHERE NOT shown",
        )

    def _write_hidden(self, hidden: IcebergTable, buckets: int, since: int | None) -> int | None:
        views = self._views
        if since is None:
            rows = f"SELECT {self._layout.outside()} FROM csq_to_hide"
            hidden.replace(views.spark.sql(rows), {}, buckets=buckets)
        else:
            moves = f"SELECT {_MOVE} AS op, judged.user_id AS was, {self._of_judged()}"
            views.compute(
                "csq_hidden_changes",
                f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_to_hide "
                f"UNION ALL {moves} FROM csq_judged AS judged "
                "WHERE NOT shown AND stays AND NOT wins AND next_id <> user_id "
                f"UNION ALL {moves.replace(_MOVE, _OUT)} FROM csq_judged AS judged "
                "WHERE NOT shown AND (wins OR NOT stays)",
            )
            if views.spark.sql("SELECT 1 FROM csq_hidden_changes LIMIT 1").collect():
                # What is still to be read of the hidden rows is as it was.
                clauses = self._clauses()
                hidden.merge("csq_hidden_changes", clauses, lambda _rows: {}, since=since)
        head = hidden.head()
        snapshot = head.snapshot if head else None
        hidden.frame(snapshot).createOrReplaceTempView("csq_hidden_now")
        return snapshot

    def _merge_users(self) -> None:
        """`csq_merged`: what becomes of the merged rows of the users that are touched."""
        empty = f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_stored"
        if not self._merges:
            self._views.make("csq_merged", f"{empty} WHERE FALSE")
            return
        layout = self._layout
        self._views.make(
            "csq_companions",
            f"SELECT {self._inner} FROM csq_stay_hidden UNION ALL "
            f"SELECT {self._inner} FROM csq_to_hide",
        )
        columns = [name for name in layout.inner.values() if name != "user_id"]
        select = merged_users(
            columns,
            joindate=layout.inner.get("joindate"),
            last_modified=layout.inner.get("last_modified"),
        )
        merged = spark_sql(select, {"companions": "csq_companions"})
        values = ", ".join(
            {
                "user_id": "coalesce(after.user_id, before.user_id) AS user_id",
                "raw_user_id": "CAST(NULL AS BIGINT) AS raw_user_id",
                "ordinal": f"CAST({MERGED} AS BIGINT) AS ordinal",
            }.get(name, f"after.{name}")
            if name in (*columns, "user_id", "raw_user_id", "ordinal", "dump_id")
            else f"CAST(NULL AS BIGINT) AS {name}"
            for name in layout.every
        )
        self._views.make(
            "csq_merged",
            f"SELECT CASE WHEN before.user_id IS NULL THEN {_IN} WHEN after.user_id IS NULL "
            f"THEN {_OUT} ELSE {_REPLACE} END AS op, before.user_id AS was, {values} "
            f"FROM ({merged}) AS after FULL JOIN (SELECT stored.user_id FROM csq_stored AS stored "
            "LEFT SEMI JOIN csq_touched_keys AS keys ON keys.user_id = stored.user_id "
            f"WHERE stored.ordinal = {MERGED}) AS before ON before.user_id = after.user_id",
        )

    def _finish(self, commit: Commit, frame: Any) -> Commit:
        """The commit with what the rows that people will see say."""
        merged = duplicated = 0
        if self._kind.key:
            keys = [self._layout.shown[column] for column in self._kind.key]
            frame.createOrReplaceTempView("csq_next")
            names = ", ".join(map(quote, keys))
            key = "CAST(0 AS BIGINT)" if self._merges else quote(keys[-1])
            duplicated = self._views.value(
                f"SELECT count(*) FROM (SELECT {names} FROM csq_next AS next "
                "LEFT SEMI JOIN csq_touched_keys AS keys ON keys.user_id = "
                f"next.{quote(keys[0])} AND keys.key_id = {key} GROUP BY {names} HAVING count(*) > 1)"
            )
        if self._merges:
            hidden = self._views.value("SELECT count(*) FROM csq_hidden_now")
            merged = hidden - frame.where(f"{quote(DUMP_ROW)} = {MERGED}").count()
        table = replace(commit.table, merged=merged, duplicated_keys=duplicated)
        return replace(commit, table=table)

    def _clauses(self) -> str:
        outer = self._layout.outer
        every = ", ".join(f"known.{quote(shown)} = changes.{name}" for shown, name in outer.items())
        columns = ", ".join(map(quote, outer))
        values = ", ".join(f"changes.{name}" for name in outer.values())
        inner = {name: quote(shown) for shown, name in outer.items()}
        if "user_id" not in inner:  # nothing moves: `was` is null
            on, moved = f"known.{inner['ordinal']} = changes.was", ""
        else:
            on = (
                f"known.{inner['user_id']} = changes.was "
                f"AND known.{inner['ordinal']} = changes.ordinal "
                f"AND (changes.ordinal = {MERGED} OR known.{inner['dump_id']} = changes.dump_id)"
            )
            # This alone keeps values of the row that is there, and lets MERGE read all of them.
            moved = self._moves * (
                f"WHEN MATCHED AND changes.op = {_MOVE} THEN "
                f"UPDATE SET known.{inner['user_id']} = changes.user_id "
            )
        return (
            f"ON {on} WHEN MATCHED AND changes.op = {_OUT} THEN DELETE {moved}"
            f"WHEN MATCHED THEN UPDATE SET {every} WHEN NOT MATCHED AND changes.op = {_IN} THEN "
            f"INSERT ({columns}) VALUES ({values})"
        )

    def _of_judged(self) -> str:
        own = ("next_id AS user_id" if name == "user_id" else name for name in OWN)
        texts = (f"CAST(NULL AS STRING) AS {name}" for name in self._layout.texts.values())
        return ", ".join([*own, *texts])
