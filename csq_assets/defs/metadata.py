"""What a materialization records about a partition or a relation, under Dagster's own names."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from csq_assets.dataconnect.checks import CurrentFacts
from csq_assets.dataconnect.column_meanings import meaning_of
from csq_assets.dataconnect.tables import ALL_EVENTS, DUMP_ID, RAW_USER_ID, USERS
from csq_assets.defs.keys import Keys
from csq_assets.markdown import plain
from csq_assets.pipeline.ingest import Ingested, TableIngest
from csq_assets.pipeline.outcomes import RefreshedIdentity, RefreshedTable
from csq_assets.publish.publication import Published


def ingest_metadata(ingest: TableIngest, ingested: Ingested) -> dict[str, Any]:
    """A partition of a raw table."""
    types, dump = ingested.avro_types, ingest.table_dump
    return {
        **_redacted(ingested),
        "dagster/partition_row_count": ingested.rows,
        "dagster/uri": ingested.written.location,
        "files": ingested.files,
        "bytes_read": ingested.bytes_read,
        "size_bytes": ingested.written.size_bytes,
        "incremental": dump is not None and dump.incremental,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name,
                    str(dtype),
                    description=_described(ingest.table, name, _in_avro(types.get(name, ()))),
                )
                for name, dtype in ingested.schema.items()
            ]
        ),
    }


def _redacted(ingested: Ingested) -> dict[str, Any]:
    """What was left out or hashed; nothing where nothing was."""
    if (facts := ingested.facts) is None:
        return {}
    found: dict[str, Any] = {
        "rows_forgotten": facts.totals.forgotten,
        "columns_dropped": list(facts.schema.dropped),
        "columns_hashed": list(facts.schema.hashed),
    }
    return {name: value for name, value in found.items() if value}


def table_metadata(
    keys: Keys, table: str, refreshed: RefreshedTable, types: Mapping[str, str]
) -> dict[str, Any]:
    """A current table, after a refresh."""
    audit = refreshed.audit
    lineage = _lineage(keys, table, refreshed.columns)
    return {
        "dagster/row_count": audit.rows_kept,
        "change": audit.change,
        "rows_in": audit.rows_in,
        "rows_new": audit.rows_new,
        "rows_updated": audit.rows_updated,
        "rows_reresolved": audit.rows_reresolved,
        "duplicates_dropped": audit.duplicates_dropped,
        "users_merged": audit.users_merged,
        **_standing(keys.raw(table), refreshed.facts),
        **_relation(
            f"csq.{table}",
            types,
            {column: _described(table, column, _sources(lineage, column)) for column in types},
        ),
        "dagster/column_lineage": lineage,
    }


def _standing(raw: dg.AssetKey, facts: CurrentFacts) -> dict[str, Any]:
    """The newest dump in the table, with a link to its partition; dumps held, and columns gone."""
    removed = facts.relation.gone if facts.relation else ()
    standing: dict[str, Any] = {"dumps_held": len(facts.plan.held)}
    standing["columns_removed"] = dg.MetadataValue.json(list(removed))
    for dump_id in facts.plan.apply[-1:]:
        page = f"/assets/{'/'.join(raw.path)}?view=partitions&partition={dump_id}"
        standing["newest_dump"] = dump_id
        standing["newest_partition"] = dg.MetadataValue.md(
            f"[{plain(raw.to_user_string())}, dump {dump_id}]({page})"
        )
    return standing


def identity_metadata(refreshed: RefreshedIdentity, types: Mapping[str, str]) -> dict[str, Any]:
    """The identity map, after a refresh."""
    audit = refreshed.audit
    return {
        "dagster/row_count": audit.users_resolved,
        "pairs_delivered": audit.pairs,
        "users_changed": audit.users_changed,
        **_relation("csq_meta.user_identity", types),
    }


def events_metadata(rows: int, types: Mapping[str, str]) -> dict[str, Any]:
    """`csq.all_events`, as it stands."""
    return {"dagster/row_count": rows, **_relation(f"csq.{ALL_EVENTS}", types)}


def published_metadata(published: Published) -> dict[str, Any]:
    """A published table, after a publication."""
    version = published.version
    dump_id = version.standing.dump_id
    return {
        "dagster/row_count": published.rows,
        "dagster/uri": version.location,
        "version": version.version,
        **({} if dump_id is None else {"newest_dump": dump_id}),
        "buckets_touched": published.buckets_touched,
        "files_written": published.files_written,
        "bytes_written": published.bytes_written,
        **_relation(published.name, version.standing.columns),
    }


def _relation(
    name: str, types: Mapping[str, str], described: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    columns = [
        dg.TableColumn(column, type_name, description=(described or {}).get(column))
        for column, type_name in types.items()
    ]
    return {
        "dagster/table_name": name,
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def _described(table: str, column: str, origin: str | None) -> str | None:
    """What the column means, and where it is from."""
    meaning = meaning_of(table, column)
    return " ".join(filter(None, (meaning, plain(origin or "")))) or None


def _sources(lineage: dg.TableColumnLineage, column: str) -> str | None:
    """The lineage in words, because the open-source UI does not show it."""
    deps = lineage.deps_by_column.get(column, ())
    sources = [f"{dep.column_name} in {dep.asset_key.to_user_string()}" for dep in deps]
    return f"From {' and '.join(sources)}." if sources else None


def _lineage(keys: Keys, table: str, columns: Mapping[str, str]) -> dg.TableColumnLineage:
    """For each column of the current table, the raw columns that it is made of."""
    raw = keys.raw(table)
    deps = {shown: [dg.TableColumnDep(raw, delivered)] for delivered, shown in columns.items()}
    if "user_id" in columns:
        deps[columns["user_id"]].append(dg.TableColumnDep(keys.user_identity, "user_id"))
        if table != USERS:
            deps[RAW_USER_ID] = [dg.TableColumnDep(raw, "user_id")]
    deps[DUMP_ID] = [dg.TableColumnDep(raw, DUMP_ID)]
    return dg.TableColumnLineage(deps_by_column=deps)


def _in_avro(types: tuple[str, ...]) -> str | None:
    return f"Avro: {' or '.join(types)}." if types else None
