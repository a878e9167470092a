"""Asset keys, partitions and names in Dagster: made here and nowhere else.

The domain names assets `csq/raw/users`, whatever the prefix; `Keys` says what Dagster calls them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from csq_assets.dataconnect.tables import (
    ALL_EVENTS_ASSET,
    BUILT_IN_TABLES,
    IDENTITY_ASSET,
    KEY_PREFIX,
    MANIFESTS_ASSET,
    MART_ASSETS,
    META_ASSET,
    PROPERTY_DEFINITIONS,
    SNAPSHOT_ASSET,
    SYNC_REPORTS_ASSET,
    current_asset,
    mart_asset,
    published_asset,
    raw_asset,
    with_prefix,
)
from csq_assets.errors import UsageError
from csq_assets.settings import Settings

RAW_TABLE = "csq/table"  # metadata of a raw asset: the name of its table in the lake


class _Named:
    """A name that begins with the prefix."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, keys: "Keys", owner: type["Keys"]) -> str:
        return f"{keys.identifier}_{self._name}"


class _Asset:
    """The key of an asset of the domain."""

    def __init__(self, asset: str) -> None:
        self._asset = asset

    def __get__(self, keys: "Keys", owner: type["Keys"]) -> dg.AssetKey:
        return keys.asset(self._asset)


@dataclass(frozen=True)
class Keys:
    """What Dagster calls the things of one export: two exports with prefixes of their own have nothing
    in common. Source: contract.md, "Dagster names"."""

    prefix: str = "csq"
    group_prefix: str = ""

    sync_reports = _Asset(SYNC_REPORTS_ASSET)
    manifests = _Asset(MANIFESTS_ASSET)
    user_identity = _Asset(IDENTITY_ASSET)
    all_events = _Asset(ALL_EVENTS_ASSET)
    meta = _Asset(META_ASSET)
    snapshot = _Asset(SNAPSHOT_ASSET)

    raw_job, current_job = _Named("raw"), _Named("current")
    sensor, export_checks = _Named("sync_reports"), _Named("export_checks")
    alerts, marts_job = _Named("alerts"), _Named("marts")
    maintenance_job = _Named("maintenance")
    s3, export, lake, duckdb = _Named("s3"), _Named("export"), _Named("lake"), _Named("duckdb")
    lake_io, duckdb_io = _Named("lake_io"), _Named("duckdb_io")

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        return cls(settings.key_prefix, settings.group_prefix)

    @property
    def identifier(self) -> str:
        """The prefix in a name that may hold no slash."""
        return self.prefix.replace("/", "_")

    @property
    def dumps(self) -> dg.DynamicPartitionsDefinition:
        return dg.DynamicPartitionsDefinition(name=f"{self.identifier}_dumps")

    def asset(self, asset: str) -> dg.AssetKey:
        """The key of an asset that the domain names."""
        return dg.AssetKey.from_user_string(with_prefix(asset, self.prefix))

    def name(self, key: dg.AssetKey) -> str:
        """What the domain calls an asset; one of others has the name that people give it."""
        own = self.asset(KEY_PREFIX).path
        if not key.has_prefix(own):
            return key.to_user_string()
        return "/".join((KEY_PREFIX, *key.path[len(own) :]))

    def raw(self, table: str) -> dg.AssetKey:
        """The decoded dumps of a table; also the property definitions, under their reserved name."""
        return self.asset(raw_asset(table))

    def current(self, table: str) -> dg.AssetKey:
        """A table as analysts query it."""
        return self.asset(current_asset(table))

    def published(self, table: str) -> dg.AssetKey:
        """A table as other engines query it; also the identity map, as `user_identity`."""
        return self.asset(published_asset(table))

    def mart(self, model: str) -> dg.AssetKey:
        """A model of the dbt project."""
        return self.asset(mart_asset(model))

    def is_mart(self, key: dg.AssetKey) -> bool:
        return key.has_prefix(self.asset(MART_ASSETS).path)

    def group(self, name: str) -> str:
        return f"{self.group_prefix}{name}"

    def table_group(self, name: str, table: str) -> str:
        """The group of a table's asset: event tables, of which there may be many, have one apart."""
        is_built_in = table in (*BUILT_IN_TABLES, PROPERTY_DEFINITIONS)
        return self.group(name if is_built_in else f"{name}_events")

    def tag(self, name: str) -> str:
        """The key of a tag on runs."""
        return f"{self.identifier}/{name}"


def step_name(key: dg.AssetKey) -> str:
    """The step that materializes the asset."""
    return key.to_python_identifier()


def partition_key(dump_id: int) -> str:
    return str(dump_id)


def dump_ids(partition_keys: Iterable[str]) -> list[int]:
    """The dumps of partitions, lowest first. Raises UsageError for a partition that a person added."""
    keys = list(partition_keys)
    for key in keys:
        if not key.isdecimal():
            raise UsageError(
                f'the partition "{key}" is not a dump',
                remedy="Delete it: partitions are added when dumps arrive.",
            )
    return sorted(map(int, keys))
