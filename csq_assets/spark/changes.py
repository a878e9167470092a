"""Which rows a refresh adds, moves, hides and brings back, decided over ids by the SELECTs that DuckDB
executes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from csq_assets.dataconnect.tables import TableKind
from csq_assets.spark.dialect import spark_sql
from csq_assets.spark.layout import MERGED, OWN, Layout
from csq_assets.spark.views import Views
from csq_assets.warehouse.keyed_sql import KEY_VERDICT, USER_VERDICT, outcome


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows; `arrived` gives the rows of each dump. `duplicates` may be negative."""

    arrived: Mapping[int, int]
    updated: int = 0
    lost: int = 0
    duplicates: int = 0
    moved: int = 0


class Changes:
    """The changes of one refresh, as views of the session. A replay finds nothing stored.

    They leave `csq_touched_keys`, the keys that are decided over; `csq_judged`, the stored rows of
    these keys, and those without a whole key that move; `csq_coming`, the rows that arrive and stay.
    """

    def __init__(self, views: Views, kind: TableKind, layout: Layout) -> None:
        self._views, self._kind, self._layout = views, kind, layout
        self._merges = kind is TableKind.USERS
        self._key = "CAST(0 AS BIGINT)" if self._merges or not kind.key else kind.key[-1]
        self._complete = f"user_id IS NOT NULL AND {self._key} IS NOT NULL"

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
        self._views.make("csq_stored", " UNION ALL ".join(parts))

    def decide(self, arriving: Any, changed: tuple[Any, bool] | None) -> None:
        """Fill `csq_verdict`. `changed` are the ids that resolve otherwise, and whether any other
        id resolves to itself."""
        views = self._views
        ids = ", ".join(f"CAST(NULL AS BIGINT) AS {name}" for name in OWN)
        views.make("csq_arriving", f"SELECT {ids} WHERE FALSE")
        if arriving is not None:
            views.hold(arriving).createOrReplaceTempView("csq_arriving")
        frame, is_whole = changed or (None, False)
        if frame is not None:
            views.hold(frame).createOrReplaceTempView("csq_changed")
            otherwise = "stored.raw_user_id" if is_whole else "stored.user_id"
            now = (
                f"SELECT stored.*, coalesce(changed.next_user_id, {otherwise}) AS next_id "
                "FROM csq_stored AS stored LEFT JOIN csq_changed AS changed "
                "ON changed.user_id = stored.raw_user_id "
                f"WHERE stored.ordinal > {MERGED}"
            )
        else:
            now = f"SELECT *, user_id AS next_id FROM csq_stored WHERE ordinal > {MERGED}"
        views.make("csq_now", now)
        moved = (
            f"SELECT user_id, next_id, {self._key} AS key_id FROM csq_now WHERE next_id <> user_id"
        )
        views.compute(
            "csq_touched_keys",
            f"SELECT user_id, {self._key} AS key_id FROM csq_arriving WHERE {self._complete} "
            f"UNION SELECT user_id, key_id FROM ({moved}) WHERE key_id IS NOT NULL "
            f"UNION SELECT next_id, key_id FROM ({moved}) WHERE key_id IS NOT NULL",
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
        views.compute("csq_touched_ids", f"{touched_ids} UNION ALL {loose}")
        candidates = (
            f"SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, {self._key} AS key_id, "
            f"dump_id, ordinal, TRUE AS shown FROM csq_arriving WHERE {self._complete} UNION ALL "
            f"SELECT CAST(1 AS BIGINT), next_id, raw_user_id, {self._key}, dump_id, ordinal, shown "
            f"FROM csq_touched_ids WHERE {self._key} IS NOT NULL"
        )
        if not self._kind.key:
            candidates += " LIMIT 0"
        views.make("csq_touched", candidates)
        verdict = USER_VERDICT if self._merges else KEY_VERDICT
        views.compute("csq_verdict", spark_sql(verdict, {"touched": "csq_touched"}))
        views.compute(
            "csq_judged",
            "SELECT touched.*, coalesce(verdict.stays, TRUE) AS stays, "
            "coalesce(verdict.wins, TRUE) AS wins FROM csq_touched_ids AS touched "
            "LEFT JOIN csq_verdict AS verdict ON verdict.dump_id = touched.dump_id "
            "AND verdict.ordinal = touched.ordinal",
        )

    def counts(self) -> Counts:
        views = self._views
        arrived = {
            row[0]: row[1]
            for row in views.spark.sql(
                "SELECT dump_id, count(*) FROM csq_arriving GROUP BY dump_id"
            ).collect()
        }
        moved = views.value("SELECT count(*) FROM csq_judged WHERE next_id <> user_id")
        found = Counts(arrived, moved=moved)
        if not self._kind.key:
            return found
        told = spark_sql(outcome(merges=self._merges), {"verdict": "csq_verdict"})
        updated, lost, duplicates = (count or 0 for count in views.spark.sql(told).first())
        return replace(found, updated=updated, lost=lost, duplicates=duplicates)

    def arrive(self, rows: Any) -> None:
        """The rows that arrive and stay, with their texts: `csq_coming`."""
        if rows is None:
            self._views.make("csq_coming", "SELECT * FROM csq_stored WHERE FALSE")
        else:
            rows.createOrReplaceTempView("csq_delivered_rows")
            user = "coalesce(resolved_user_id, raw_user_id) AS user_id"
            others = ", ".join(name for name in self._layout.every if name != "user_id")
            self._views.make(
                "csq_coming", f"SELECT {user}, {others}, shown FROM csq_delivered_rows"
            )

    def _qualified_key(self) -> str:
        return self._key if self._merges else f"stored.{self._key}"
