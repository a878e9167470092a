"""Publishes a relation: finds the buckets that differ from what is published, and replaces those."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import catalog_name
from csq_assets.errors import NameClashError
from csq_assets.publish.target import Contents, Standing, Target, Version, Written
from csq_assets.warehouse.bucket_sql import BucketedRelation
from csq_assets.warehouse.columns import shown_types
from csq_assets.warehouse.engine import transaction
from csq_assets.warehouse.publications import find_publishable, record_publication


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a relation: its name for other engines, the version that they read now, its rows,
    the buckets that were touched, and the data files that were written."""

    name: str
    version: Version
    rows: int
    buckets_touched: int
    files_written: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class Publication:
    """Of the current tables of one DuckDB file; `place` tells one target from another. What is killed
    is repeated by the next call."""

    target: Target
    namespace: str
    place: str

    def publish(self, connection: DuckDBPyConnection, table: str) -> Published | None:
        """Publish `csq.<table>`, `all_events` or `user_identity` as it stands, by one commit. None
        where there is no such relation any more: then it is removed here, too.

        Raises StorageError or SettingsError; what was published before is still there.
        """
        name = catalog_name(table)
        with transaction(connection):  # one state of the relation, for all that is asked
            found = find_publishable(connection, table)
            published = None
            if found is None:
                self.target.remove(name)
            else:
                columns = shown_types(connection, found.schema, found.name)
                relation = BucketedRelation(found.schema, found.name, columns)
                published = self._write(connection, name, relation, found.dump_id)
        record_publication(connection, table, self.place, is_there=found is not None)
        return published

    def purge(self, connection: DuckDBPyConnection, table: str) -> Published | None:
        """Publish it as it stands, and remove every earlier version with its files at once: nothing of
        what was deleted from the relation can be read any more."""
        published = self.publish(connection, table)
        if published is None:
            return None
        return replace(published, version=self.target.purge(catalog_name(table)))

    def _write(
        self,
        connection: DuckDBPyConnection,
        name: str,
        relation: BucketedRelation,
        dump_id: int | None,
    ) -> Published:
        names = self.target.columns(relation.columns)
        columns = {names[column]: kind for column, kind in relation.columns.items()}
        wanted = Standing(relation.name, columns, relation.fingerprints(connection), dump_id)
        known = self.target.read(name)
        if known is not None and known.standing.table != relation.name:
            _refuse_clash(connection, relation.name, known.standing.table)
        is_new = known is None or not self.target.can_keep(known.standing, wanted)
        before = known.standing.buckets if known and not is_new else {}
        both = {*wanted.buckets, *before}
        changed = frozenset(one for one in both if wanted.buckets.get(one) != before.get(one))
        if known is not None and not changed and known.standing.says(wanted):
            done = Written(known, files=0, bytes_written=0)
        else:
            stage = partial(_stage, connection, relation, names, changed)
            done = self.target.write(name, Contents(wanted, is_new, changed, stage))
        return Published(
            f"{self.namespace}.{name}",
            done.version,
            rows=sum(int(one.partition(":")[0]) for one in wanted.buckets.values()),
            buckets_touched=len(changed),
            files_written=done.files,
            bytes_written=done.bytes_written,
        )


def _refuse_clash(connection: DuckDBPyConnection, table: str, other: str) -> None:
    """Raise NameClashError where the other table is still there."""
    if find_publishable(connection, other) is not None:
        raise NameClashError(
            f'other engines cannot tell its name from that of table "{other}"',
            where={"table": table},
            remedy="Rename it at Contentsquare, or put one of them into CSQ_SKIP_TABLES.",
        )


def _stage(
    connection: DuckDBPyConnection,
    relation: BucketedRelation,
    names: Mapping[str, str],
    changed: frozenset[int],
    folder: Path,
    field_ids: Mapping[str, int] | None,
) -> Mapping[int, list[Path]]:
    return relation.write(connection, sorted(changed), folder, names=names, field_ids=field_ids)
