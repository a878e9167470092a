"""Settings: the only reader of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from csq_assets.errors import SettingsError
from csq_assets.places import absolute_path, duckdb_file, location, overlap, wrong


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
    lake_url: str = _setting(
        "CSQ_LAKE_URL",
        "data/lake",
        "where decoded dumps are kept: a directory, or `s3://bucket/prefix`",
    )
    duckdb_path: Path = _setting(
        "CSQ_DUCKDB_PATH", "data/warehouse.duckdb", "the DuckDB file that analysts query"
    )
    duckdb_snapshot_path: Path | None = _setting(
        "CSQ_DUCKDB_SNAPSHOT_PATH",
        None,
        "where a copy of it is put after each sync, replaced by rename, for readers that stay "
        "connected",
    )
    duckdb_memory_limit: str = _setting(
        "CSQ_DUCKDB_MEMORY_LIMIT",
        "2GB",
        "how much memory DuckDB may take; what does not fit spills to disk beside its file",
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

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables; an empty one counts as not set.

        Raises SettingsError, naming the variable.
        """
        given = os.environ if environment is None else environment
        values = {
            setting.name: given.get(setting.metadata["variable"], "").strip()
            or setting.metadata["default"]
            or ""
            for setting in fields(cls)
        }
        snapshot = values["duckdb_snapshot_path"]
        return cls(
            export_url=location("CSQ_EXPORT_URL", values["export_url"]),
            manifest_prefix=_manifest_prefix(values["manifest_prefix"]),
            skip_tables=_listed(values["skip_tables"]),
            lake_url=location("CSQ_LAKE_URL", values["lake_url"]),
            duckdb_path=duckdb_file("CSQ_DUCKDB_PATH", values["duckdb_path"]),
            duckdb_snapshot_path=(
                duckdb_file("CSQ_DUCKDB_SNAPSHOT_PATH", snapshot) if snapshot else None
            ),
            duckdb_memory_limit=_memory_limit(values["duckdb_memory_limit"]),
            owners=_owners(values["owners"]),
            request_payer=_request_payer(values["request_payer"]),
            key_prefix=_key_prefix(values["key_prefix"]),
            group_prefix=_group_prefix(values["group_prefix"]),
        ).checked()

    def checked(self) -> "Settings":
        """These settings, checked for contradictions."""
        places = {
            "CSQ_LAKE_URL": self.lake_url,
            "CSQ_DUCKDB_PATH": self.duckdb_path,
            "CSQ_DUCKDB_SNAPSHOT_PATH": self.duckdb_snapshot_path,
        }
        for variable, place in places.items():
            if place and overlap(str(place), self.export_url):
                raise wrong(
                    variable,
                    f"{place} and the export at {self.export_url} overlap",
                    "Choose another place: nothing is ever written into the export.",
                )
        snapshot = self.duckdb_snapshot_path
        if snapshot and overlap(str(self.duckdb_path), str(snapshot)):
            raise wrong(
                "CSQ_DUCKDB_SNAPSHOT_PATH",
                f"{snapshot} is the DuckDB file itself",
                "Name another file for the copy.",
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
            (setting.metadata["variable"], _shown(getattr(self, setting.name)))
            for setting in fields(self)
        )


def dagster_home(environment: Mapping[str, str] | None = None) -> Path:
    """The folder that holds `dagster.yaml`: DAGSTER_HOME, or else the current directory.

    Raises SettingsError where there is no such file.
    """
    given = os.environ if environment is None else environment
    home = absolute_path("DAGSTER_HOME", given.get("DAGSTER_HOME", "").strip() or str(Path.cwd()))
    if not (home / "dagster.yaml").is_file():
        raise wrong(
            "DAGSTER_HOME",
            f"there is no dagster.yaml in {home}",
            "Create one with csq init, run csq in the folder that has one, or set DAGSTER_HOME to it.",
        )
    return home


def load_env_files() -> None:
    """Take variables that are not set from `.env` in the current directory, then in DAGSTER_HOME.

    Raises SettingsError where such a file cannot be read.
    """
    _load_env_file(Path.cwd())
    if home := os.environ.get("DAGSTER_HOME", "").strip():
        _load_env_file(Path(home).expanduser())


def _load_env_file(folder: Path) -> None:
    file = folder / ".env"
    if not file.is_file():
        return
    from dotenv import load_dotenv  # noqa: PLC0415  # most folders have none

    try:
        load_dotenv(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot be read: {error}", where={"file": str(file)}, remedy="Correct or delete it."
        ) from error


def set_default_dagster_home() -> None:
    """Let Dagster find its instance from the current directory, if that has a `dagster.yaml`."""
    if not os.environ.get("DAGSTER_HOME") and Path("dagster.yaml").is_file():
        os.environ["DAGSTER_HOME"] = str(Path.cwd())


def _manifest_prefix(value: str) -> str:
    prefix = value.strip("/")
    if not prefix or "://" in value or ".." in prefix.split("/"):
        raise wrong(
            "CSQ_MANIFEST_PREFIX",
            f'"{value}" is not a folder under CSQ_EXPORT_URL',
            "Give a folder such as manifests/.",
        )
    return f"{prefix}/"


def _memory_limit(value: str) -> str:
    if not re.fullmatch(r"(?=.*[1-9])\d+(\.\d+)? ?[KMGT]i?B", value):
        raise wrong(
            "CSQ_DUCKDB_MEMORY_LIMIT",
            f'"{value}" is not an amount of memory',
            "Write for example 2GB or 512MB.",
        )
    return value


def _owners(value: str) -> tuple[str, ...]:
    owners = _listed(value)
    for owner in owners:
        if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
            raise wrong(
                "CSQ_OWNERS",
                f'"{owner}" is neither an e-mail address nor team:name',
                "Write for example team:data,ana@example.com.",
            )
    return owners


def _request_payer(value: str) -> str | None:
    if value not in ("", "requester"):
        raise wrong("CSQ_REQUEST_PAYER", f'"{value}" is not a payer', "Write requester.")
    return value or None


def _key_prefix(value: str) -> str:
    if not re.fullmatch(r"\w+(/\w+)*", value, re.ASCII):
        raise wrong(
            "CSQ_KEY_PREFIX",
            f'"{value}" is not the beginning of an asset key',
            "Write letters, digits and underscores, with slashes between the parts.",
        )
    return value


def _group_prefix(value: str) -> str:
    if not re.fullmatch(r"\w*", value, re.ASCII):
        raise wrong(
            "CSQ_GROUP_PREFIX",
            f'"{value}" is not the beginning of a group\'s name',
            "Write letters, digits and underscores.",
        )
    return value


def _listed(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
