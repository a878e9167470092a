"""Which rows a refresh adds, moves, hides and brings back, decided over ids by the SELECTs that DuckDB
executes, and written by one MERGE."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from csq_assets.dataconnect.tables import TableKind
from csq_assets.spark.dialect import quote, spark_sql
from csq_assets.spark.iceberg import IcebergTable
from csq_assets.spark.layout import DUMP_ROW, MERGED, OWN, Layout
from csq_assets.spark.table_state import Commit
from csq_assets.warehouse.keyed_sql import KEY_VERDICT, USER_VERDICT, outcome
from csq_assets.warehouse.users_sql import merged_users

# What becomes of a row: brought in, given another user, replaced, taken away.
_IN, _MOVE, _REPLACE, _OUT = "'I'", "'M'", "'R'", "'D'"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows; `arrived` gives the rows of each dump. `duplicates` may be negative."""

    arrived: Mapping[int, int]
    updated: int = 0
    lost: int = 0
    duplicates: int = 0
    moved: int = 0


class Changes:
    """The changes of one refresh, as views of the session. A replay finds nothing stored."""

    def __init__(self, spark: Any, kind: TableKind, layout: Layout) -> None:
        self._spark, self._kind, self._layout = spark, kind, layout
        self._merges = kind is TableKind.USERS
        self._key = "CAST(0 AS BIGINT)" if self._merges or not kind.key else kind.key[-1]
        self._complete = f"user_id IS NOT NULL AND {self._key} IS NOT NULL"
        self._kept: list[Any] = []  # frames that are held while they are used
        self._inner = ", ".join([*OWN, *layout.texts.values()])

    def stored(self, main: Any, hidden: Any) -> None:
        """The rows of the table and the hidden ones, None where there are none: `csq_stored`."""
        types = dict.fromkeys(OWN, "BIGINT") | dict.fromkeys(self._layout.texts.values(), "STRING")
        empty = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in types.items())
        parts = [f"SELECT {empty}, TRUE AS shown WHERE FALSE"]
        for frame, view, shown in ((main, "csq_main", "TRUE"), (hidden, "csq_hidden", "FALSE")):
            if frame is not None:
                frame.createOrReplaceTempView(view)
                inside = self._layout.inside(frame.columns)
                parts.append(f"SELECT {inside}, {shown} AS shown FROM {view}")
        self._view("csq_stored", " UNION ALL ".join(parts))

    def decide(self, arriving: Any, changed: tuple[Any, bool] | None) -> None:
        """Fill `csq_verdict`. `changed` are the ids that resolve otherwise, and whether any other
        id resolves to itself."""
        ids = ", ".join(f"CAST(NULL AS BIGINT) AS {name}" for name in OWN)
        self._view("csq_arriving", f"SELECT {ids} WHERE FALSE")
        if arriving is not None:
            self._keep("csq_arriving", arriving)
        frame, is_whole = changed or (None, False)
        if frame is not None:
            self._keep("csq_changed", frame)
            otherwise = "stored.raw_user_id" if is_whole else "stored.user_id"
            now = (
                f"SELECT stored.*, coalesce(changed.next_user_id, {otherwise}) AS next_id "
                "FROM csq_stored AS stored LEFT JOIN csq_changed AS changed "
                "ON changed.user_id = stored.raw_user_id "
                f"WHERE stored.ordinal > {MERGED}"
            )
        else:
            now = f"SELECT *, user_id AS next_id FROM csq_stored WHERE ordinal > {MERGED}"
        self._view("csq_now", now)
        moved = (
            f"SELECT user_id, next_id, {self._key} AS key_id FROM csq_now WHERE next_id <> user_id"
        )
        self._view(
            "csq_touched_keys",
            f"SELECT user_id, {self._key} AS key_id FROM csq_arriving WHERE {self._complete} "
            f"UNION SELECT user_id, key_id FROM ({moved}) WHERE key_id IS NOT NULL "
            f"UNION SELECT next_id, key_id FROM ({moved}) WHERE key_id IS NOT NULL",
            keep=True,
        )
        touched_ids = (
            f"SELECT {', '.join(f'stored.{name}' for name in OWN)}, stored.next_id, stored.shown "
            "FROM csq_now AS stored LEFT SEMI JOIN csq_touched_keys AS keys "
            f"ON keys.user_id = stored.next_id AND keys.key_id = {self._qualified_key()}"
            if self._kind.key
            else f"SELECT {', '.join(OWN)}, next_id, shown FROM csq_now WHERE FALSE"
        )
        # Rows without a whole key have no rival, and move all the same.
        loose = f"SELECT {', '.join(OWN)}, next_id, shown FROM csq_now WHERE next_id <> user_id" + (
            f" AND {self._key} IS NULL" if self._kind.key else ""
        )
        self._view("csq_touched_ids", f"{touched_ids} UNION ALL {loose}", keep=True)
        candidates = (
            f"SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, {self._key} AS key_id, "
            f"dump_id, ordinal, TRUE AS shown FROM csq_arriving WHERE {self._complete} UNION ALL "
            f"SELECT CAST(1 AS BIGINT), next_id, raw_user_id, {self._key}, dump_id, ordinal, shown "
            f"FROM csq_touched_ids WHERE {self._key} IS NOT NULL"
        )
        if not self._kind.key:
            candidates += " LIMIT 0"
        self._view("csq_touched", candidates)
        verdict = USER_VERDICT if self._merges else KEY_VERDICT
        self._view("csq_verdict", spark_sql(verdict, {"touched": "csq_touched"}), keep=True)
        self._view(
            "csq_judged",
            "SELECT touched.*, coalesce(verdict.stays, TRUE) AS stays, "
            "coalesce(verdict.wins, TRUE) AS wins FROM csq_touched_ids AS touched "
            "LEFT JOIN csq_verdict AS verdict ON verdict.dump_id = touched.dump_id "
            "AND verdict.ordinal = touched.ordinal",
            keep=True,
        )

    def counts(self) -> Counts:
        arrived = {
            row[0]: row[1]
            for row in self._spark.sql(
                "SELECT dump_id, count(*) FROM csq_arriving GROUP BY dump_id"
            ).collect()
        }
        moved = self._spark.sql("SELECT count(*) FROM csq_judged WHERE next_id <> user_id").first()[
            0
        ]
        found = Counts(arrived, moved=moved)
        if not self._kind.key:
            return found
        told = spark_sql(outcome(merges=self._merges), {"verdict": "csq_verdict"})
        updated, lost, duplicates = (count or 0 for count in self._spark.sql(told).first())
        return replace(found, updated=updated, lost=lost, duplicates=duplicates)

    def arrive(self, rows: Any) -> None:
        """The rows that arrive and stay, with their texts: `csq_coming`."""
        if rows is None:
            self._view("csq_coming", "SELECT * FROM csq_stored WHERE FALSE")
        else:
            rows.createOrReplaceTempView("csq_delivered_rows")
            user = "coalesce(resolved_user_id, raw_user_id) AS user_id"
            others = ", ".join(name for name in self._inner.split(", ") if name != "user_id")
            self._view("csq_coming", f"SELECT {user}, {others}, shown FROM csq_delivered_rows")

    def write(
        self,
        main: IcebergTable,
        hidden: IcebergTable,
        commit: Commit,
        *,
        buckets: int,
        replay: bool,
    ) -> None:
        """Write the hidden rows, then those that people see, with the commit."""
        self._hide()
        if self._kind.key:
            commit = replace(commit, hidden=self._write_hidden(hidden, buckets, replay=replay))
        self._merge_users()
        state = lambda frame: self._finish(commit, frame).dumped()  # noqa: E731
        if replay:
            frame = self._spark.sql(
                f"SELECT {self._layout.outside()} FROM (SELECT {self._inner} FROM csq_coming WHERE "
                f"shown UNION ALL SELECT {self._inner} FROM csq_merged)"
            ).persist()
            self._kept.append(frame)
            by_user = buckets if self._layout.has_users else None
            main.replace(frame, state(frame), buckets=by_user)
            return
        moves = f"SELECT {_MOVE} AS op, judged.user_id AS was, {self._of_judged()}"
        self._view(
            "csq_changes",
            f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_coming "
            "WHERE shown UNION ALL "
            f"{moves} FROM csq_judged AS judged WHERE shown AND wins AND next_id <> user_id UNION ALL "
            f"{moves.replace(_MOVE, _OUT)} FROM csq_judged AS judged WHERE shown AND NOT wins "
            f"UNION ALL SELECT {_IN}, CAST(NULL AS BIGINT), {self._inner} FROM csq_back "
            f"UNION ALL SELECT op, was, {self._inner} FROM csq_merged",
            keep=True,
        )
        main.merge("csq_changes", self._clauses(), state)

    def close(self) -> None:
        for frame in self._kept:
            frame.unpersist()

    def _hide(self) -> None:
        """`csq_back`: hidden rows that are shown again. `csq_to_hide`: rows that are to be hidden.
        `csq_stay_hidden`: those that were and are; all with their texts."""
        inner = ", ".join(
            "judged.next_id AS user_id" if name == "user_id" else f"stored.{name}"
            for name in self._inner.split(", ")
        )
        joined = (
            f"SELECT {inner} FROM csq_stored AS stored JOIN csq_judged AS judged ON "
            "stored.dump_id = judged.dump_id AND stored.ordinal = judged.ordinal"
        )
        self._view("csq_back", f"{joined} WHERE NOT judged.shown AND judged.wins")
        self._view("csq_stay_hidden", f"{joined} WHERE NOT judged.shown AND stays AND NOT wins")
        self._view(
            "csq_to_hide",
            f"{joined} WHERE judged.shown AND stays AND NOT wins UNION ALL "
            f"SELECT {self._inner} FROM csq_coming WHERE NOT shown",
        )

    def _write_hidden(self, hidden: IcebergTable, buckets: int, *, replay: bool) -> int | None:
        if replay:
            rows = f"SELECT {self._layout.outside()} FROM csq_to_hide"
            hidden.replace(self._spark.sql(rows), {}, buckets=buckets)
        else:
            moves = f"SELECT {_MOVE} AS op, judged.user_id AS was, {self._of_judged()}"
            self._view(
                "csq_hidden_changes",
                f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_to_hide "
                f"UNION ALL {moves} FROM csq_judged AS judged "
                "WHERE NOT shown AND stays AND NOT wins AND next_id <> user_id "
                f"UNION ALL {moves.replace(_MOVE, _OUT)} FROM csq_judged AS judged "
                "WHERE NOT shown AND (wins OR NOT stays)",
                keep=True,
            )
            if self._spark.sql("SELECT 1 FROM csq_hidden_changes LIMIT 1").collect():
                # What is still to be read of the hidden rows is as it was.
                hidden.merge("csq_hidden_changes", self._clauses(), lambda _frame: {})
        snapshot = (hidden.head() or (None, None))[0]
        hidden.frame(snapshot).createOrReplaceTempView("csq_hidden_now")
        return snapshot

    def _merge_users(self) -> None:
        """`csq_merged`: what becomes of the merged rows of the users that are touched."""
        empty = f"SELECT {_IN} AS op, CAST(NULL AS BIGINT) AS was, {self._inner} FROM csq_stored"
        if not self._merges:
            self._view("csq_merged", f"{empty} WHERE FALSE")
            return
        layout = self._layout
        self._view(
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
            for name in self._inner.split(", ")
        )
        self._view(
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
            duplicated = self._spark.sql(
                f"SELECT count(*) FROM (SELECT {names} FROM csq_next AS next "
                "LEFT SEMI JOIN csq_touched_keys AS keys ON keys.user_id = "
                f"next.{quote(keys[0])} AND keys.key_id = {key} GROUP BY {names} HAVING count(*) > 1)"
            ).first()[0]
        if self._merges:
            hidden = self._spark.sql("SELECT count(*) FROM csq_hidden_now").first()[0]
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
            moved = (
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

    def _qualified_key(self) -> str:
        return self._key if self._merges else f"stored.{self._key}"

    def _view(self, name: str, statement: str, *, keep: bool = False) -> None:
        frame = self._spark.sql(statement)
        if keep:
            self._keep(name, frame)
        else:
            frame.createOrReplaceTempView(name)

    def _keep(self, name: str, frame: Any) -> None:
        self._kept.append(frame.persist())
        frame.createOrReplaceTempView(name)
