"""Settings: the only reader of the environment."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from csq_assets import setting_values as values
from csq_assets.places import (
    absolute_path,
    duckdb_file,
    location,
    overlap,
    project_folder,
    wrong,
)

T = TypeVar("T")

_NEARLY = 0.85  # as alike as two names are of which one is the other misspelled


def _setting(variable: str, default: str | None, meaning: str) -> Any:
    return field(metadata={"variable": variable, "default": default, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are and what to skip. Each field is one variable."""

    export_url: str = _setting(
        "CSQ_EXPORT_URL",
        "data/export",
        "where Contentsquare delivers: `s3://bucket`, `s3://bucket/prefix`, or a directory that "
        "mirrors the bucket from its root",
    )
    manifest_prefix: str = _setting(
        "CSQ_MANIFEST_PREFIX", "manifests/", "where manifests lie under it"
    )
    skip_tables: tuple[str, ...] = _setting(
        "CSQ_SKIP_TABLES", None, "tables to skip: names or globs, separated by commas"
    )
    drop_columns: tuple[str, ...] = _setting(
        "CSQ_DROP_COLUMNS",
        None,
        "columns that never enter the lake: globs over `table.column`, separated by commas",
    )
    hash_columns: tuple[str, ...] = _setting(
        "CSQ_HASH_COLUMNS",
        None,
        "columns of which only keyed hashes enter the lake: globs over `table.column`, separated by "
        "commas",
    )
    hash_key: SecretStr | None = _setting(
        "CSQ_HASH_KEY",
        None,
        "the key of these hashes (HMAC-SHA-256), 16 characters or more; a secret",
    )
    lake_url: str = _setting(
        "CSQ_LAKE_URL",
        "data/lake",
        "where decoded dumps are kept: a directory, or `s3://bucket/prefix`",
    )
    duckdb_path: Path = _setting(
        "CSQ_DUCKDB_PATH", "data/warehouse.duckdb", "the DuckDB file that analysts query"
    )
    snapshot_path: Path | None = _setting(
        "CSQ_DUCKDB_SNAPSHOT_PATH",
        None,
        "where a copy of it is put after each sync, replaced by rename, for readers that stay "
        "connected",
    )
    publish_url: str | None = _setting(
        "CSQ_PUBLISH_URL",
        None,
        "where current tables are published for other engines after each sync: a directory, or "
        "`s3://bucket/prefix`",
    )
    publish_format: str = _setting(
        "CSQ_PUBLISH_FORMAT",
        "iceberg",
        "`iceberg`, in the catalog that pyiceberg's configuration names, or `parquet`",
    )
    memory_limit: str = _setting(
        "CSQ_DUCKDB_MEMORY_LIMIT",
        "2GB",
        "how much memory DuckDB may take; what does not fit spills to disk beside its file",
    )
    types_path: Path | None = _setting(
        "CSQ_TYPES",
        None,
        "a TOML file with the types that columns of `csq_typed` are to have: `[table]`, and below it "
        '`column = "TYPE"`',
    )
    dbt_project: Path | None = _setting(
        "CSQ_DBT_PROJECT",
        None,
        "the folder of a dbt project whose models are built after each refresh: `dbt` of the clone, or "
        "a copy of it",
    )
    owners: tuple[str, ...] = _setting(
        "CSQ_OWNERS",
        None,
        "owners of the assets in the UI: e-mail addresses or `team:name`, separated by commas",
    )
    request_payer: str | None = _setting(
        "CSQ_REQUEST_PAYER", None, "`requester`, for an export bucket whose readers pay"
    )
    key_prefix: str = _setting(
        "CSQ_KEY_PREFIX",
        "csq",
        "what asset keys, jobs, the sensor, partitions and resources in Dagster begin with",
    )
    group_prefix: str = _setting(
        "CSQ_GROUP_PREFIX", None, "what the names of the assets' groups begin with"
    )
    alerts: tuple[SecretStr, ...] = _setting(
        "CSQ_ALERTS",
        None,
        "who is told when something fails, and when it is repaired: addresses as apprise writes them, "
        "separated by commas: `jsons://host/path`, `slack://A/B/C`, `mailtos://user:password@host?to=…`",
    )
    alert_severity: str = _setting(
        "CSQ_ALERT_SEVERITY", "ERROR", "`WARN` to tell of failing checks of severity WARN as well"
    )
    ui_url: str | None = _setting(
        "CSQ_UI_URL", None, "where Dagster's UI is, for links: `https://dagster.example.com`"
    )
    code_location: str = _setting(
        "CSQ_CODE_LOCATION",
        None,
        "the code location whose pages list the runs of csq, if it has another name than in the "
        "project, or than csq_assets",
    )

    engine: str = _setting(
        "CSQ_ENGINE",
        "duckdb",
        "what keeps the current tables: `duckdb`, or `spark`, as Iceberg tables",
    )
    spark_submit: str = _setting(
        "CSQ_SPARK_SUBMIT",
        "spark-submit",
        "with the engine `spark`, the command that gives a job to the cluster, and its options: "
        "`spark-submit --master spark://host:7077`",
    )
    spark_emr_serverless: Path | None = _setting(
        "CSQ_SPARK_EMR_SERVERLESS",
        None,
        "with the engine `spark`, jobs on EMR Serverless instead: the JSON file that "
        "`aws emr-serverless start-job-run --cli-input-json` takes",
    )
    spark_catalog: str = _setting(
        "CSQ_SPARK_CATALOG",
        "csq",
        "with the engine `spark`, the catalog of the tables. Spark's settings say what it is; without "
        "them it is the folder `iceberg` of the lake",
    )
    spark_buckets: int = _setting(
        "CSQ_SPARK_BUCKETS",
        "16",
        "with the engine `spark`, the number of buckets of users into which a new table is partitioned",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables; an empty one counts as not set.

        Raises SettingsError, naming the variable, also where its name is nearly that of a setting:
        without effect, it could let in what it was to keep out.
        """
        given = os.environ if environment is None else environment
        for variable, meant in cls.unknown(given).items():
            if meant:
                raise wrong(
                    variable, "no setting has this name", f"Write {meant}, or remove the variable."
                )
        return cls.of(
            {one.name: given.get(one.metadata["variable"], "").strip() for one in fields(cls)}
        )

    @classmethod
    def unknown(cls, environment: Mapping[str, str]) -> dict[str, str]:
        """Variables that begin like one of these settings and are none, each with the setting whose
        name is nearly the same, or an empty text: an empty one, or one that is named after a setting,
        such as `CSQ_LAKE_URL_EU`, may be somebody's own."""
        known = [str(one.metadata["variable"]) for one in fields(cls)]
        return {
            name: ""
            if not environment[name].strip() or name.startswith(tuple(f"{one}_" for one in known))
            else next(iter(get_close_matches(name, known, n=1, cutoff=_NEARLY)), "")
            for name in sorted(environment)
            if name.startswith("CSQ_") and name not in known
        }

    @classmethod
    def of(
        cls, given: Mapping[str, str | Sequence[str] | None], folder: Path | None = None
    ) -> "Settings":
        """Settings by the names of their fields; what is empty or not given has its default. Relative
        paths count from `folder`, or else from the current directory.

        Raises SettingsError, naming the variable.
        """
        given = {
            one.name: given.get(one.name) or one.metadata["default"] or "" for one in fields(cls)
        }
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        variables = {one.name: one.metadata["variable"] for one in fields(cls)}

        def place(read: Callable[[str, str, Path], T], name: str) -> T:
            return read(variables[name], texts[name], folder or Path())

        def optional(read: Callable[[str, str, Path], T], name: str) -> T | None:
            return place(read, name) if texts[name] else None

        return cls(
            export_url=place(location, "export_url"),
            manifest_prefix=values.manifest_prefix(texts["manifest_prefix"]),
            skip_tables=values.listed(given["skip_tables"]),
            drop_columns=values.dropped_columns(given["drop_columns"]),
            hash_columns=values.hashed_columns(given["hash_columns"]),
            hash_key=values.hash_key(texts["hash_key"]),
            lake_url=place(location, "lake_url"),
            duckdb_path=place(duckdb_file, "duckdb_path"),
            snapshot_path=optional(duckdb_file, "snapshot_path"),
            publish_url=optional(location, "publish_url"),
            publish_format=values.publish_format(texts["publish_format"]),
            types_path=optional(absolute_path, "types_path"),
            memory_limit=values.memory_limit(texts["memory_limit"]),
            dbt_project=optional(project_folder, "dbt_project"),
            owners=values.owners(given["owners"]),
            request_payer=values.request_payer(texts["request_payer"]),
            key_prefix=values.key_prefix(texts["key_prefix"]),
            group_prefix=values.group_prefix(texts["group_prefix"]),
            alerts=values.addresses(given["alerts"]),
            alert_severity=values.alert_severity(texts["alert_severity"]),
            ui_url=values.ui_url(texts["ui_url"]),
            code_location=texts["code_location"] or "csq_assets",
            engine=values.engine(texts["engine"]),
            spark_submit=values.spark_submit(texts["spark_submit"]),
            spark_emr_serverless=optional(absolute_path, "spark_emr_serverless"),
            spark_catalog=values.spark_catalog(texts["spark_catalog"]),
            spark_buckets=values.spark_buckets(texts["spark_buckets"]),
        ).checked()

    def checked(self) -> "Settings":
        """These settings, checked for contradictions."""
        places = {
            "CSQ_LAKE_URL": self.lake_url,
            "CSQ_DUCKDB_PATH": self.duckdb_path,
            "CSQ_DUCKDB_SNAPSHOT_PATH": self.snapshot_path,
            "CSQ_PUBLISH_URL": self.publish_url,
        }
        for variable, place in places.items():
            if place and overlap(str(place), self.export_url):
                raise wrong(
                    variable,
                    f"{place} and the export at {self.export_url} overlap",
                    "Choose another place: nothing is ever written into the export.",
                )
        snapshot = self.snapshot_path
        if snapshot and overlap(str(self.duckdb_path), str(snapshot)):
            raise wrong(
                "CSQ_DUCKDB_SNAPSHOT_PATH",
                f"{snapshot} is the DuckDB file itself",
                "Name another file for the copy.",
            )
        if self.publish_url and overlap(self.publish_url, self.lake_url):
            raise wrong(
                "CSQ_PUBLISH_URL",
                f"{self.publish_url} and the lake at {self.lake_url} overlap",
                "Choose another place: files there are replaced and deleted.",
            )
        if self.engine == "spark":
            values.refuse_with_spark(
                CSQ_DUCKDB_SNAPSHOT_PATH=snapshot,
                CSQ_PUBLISH_URL=self.publish_url,
                CSQ_TYPES=self.types_path,
                CSQ_DBT_PROJECT=self.dbt_project,
            )
        if self.hash_columns and self.hash_key is None:
            raise wrong(
                "CSQ_HASH_KEY",
                "it is not set, and CSQ_HASH_COLUMNS needs it",
                "Make a key with openssl rand -hex 32, and keep it.",
            )
        return self

    def skips(self, table: str) -> bool:
        """Whether `table` is to be skipped."""
        return any(fnmatchcase(table, pattern) for pattern in self.skip_tables)

    @classmethod
    def documented(cls) -> tuple[tuple[str, str | None, str], ...]:
        """Each variable with its default and its meaning."""
        return tuple(
            (setting.metadata["variable"], setting.metadata["default"], setting.metadata["meaning"])
            for setting in fields(cls)
        )

    def described(self) -> tuple[tuple[str, str], ...]:
        """Each variable with its effective value, for people."""
        return tuple(
            (setting.metadata["variable"], values.shown(getattr(self, setting.name)))
            for setting in fields(self)
        )
