"""A warehouse with a publication of its tables, and what other engines read of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
from pyiceberg.table import Table

from csq_assets.aws import s3_client
from csq_assets.lake.locations import open_objects
from csq_assets.lake.objects import ObjectStore
from csq_assets.publish.iceberg import IcebergTarget
from csq_assets.publish.open import folder_of, open_publication
from csq_assets.publish.publication import Publication, Published
from csq_assets.settings import Settings
from csq_assets_tests.model import Relation
from csq_assets_tests.warehouse.deliveries import Platform, relation


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes the tables of a platform as the settings say."""

    platform: Platform
    settings: Settings

    @contextmanager
    def opened(self) -> Iterator[Publication]:
        with open_publication(self.settings, s3_client) as publication:
            yield publication

    def publish(self, table: str) -> Published | None:
        with self.opened() as publication:
            return publication.publish(self.platform.connection, table)

    def purge(self, table: str) -> Published | None:
        with self.opened() as publication:
            return publication.purge(self.platform.connection, table)

    def sync(self, *tables: str) -> list[tuple[int, int]]:
        """Refresh and publish; gives the buckets and the files of each table."""
        self.platform.sync()
        done = [self.publish(table) for table in tables]
        return [(one.buckets_touched, one.files_written) for one in done if one]

    def expected(self, table: str, schema: str = "csq") -> Relation:
        """The relation as it is in DuckDB."""
        return relation(self.platform.connection, table, schema)

    @contextmanager
    def table(self, name: str) -> Iterator[Table]:
        """A table of Iceberg."""
        with self.opened() as publication:
            assert isinstance(publication.target, IcebergTarget)
            found = publication.target.load(name)
            assert found is not None
            yield found

    def frame(self, table: str) -> pl.DataFrame:
        """The table as others read it: pyiceberg, or Polars from the paths of the manifest."""
        if self.settings.publish_format == "iceberg":
            with self.table(table) as found:
                return pl.DataFrame(found.scan().to_arrow())
        with self.objects.local_copy(f"{table}/_symlink_format_manifest/manifest") as file:
            paths = file.read_text().splitlines()
        prefix = f"{folder_of(self.settings)}/"
        frames = [self.objects.scan_parquet(path.removeprefix(prefix)) for path in paths]
        return pl.concat(pl.collect_all(frames))

    def published(self, table: str) -> Relation:
        frame = self.frame(table)
        return Relation(tuple(frame.columns), Counter(frame.rows()))

    @property
    def objects(self) -> ObjectStore:
        return open_objects(folder_of(self.settings), s3_client, "CSQ_PUBLISH_URL")

    def files(self, prefix: str) -> set[str]:
        """The keys of objects below a prefix."""
        return {found.key for found in self.objects.list(prefix)}

    def text(self, prefix: str) -> Any:
        """All bytes of objects below a prefix."""
        return b"".join(self.objects.read(key) for key in sorted(self.files(prefix)))
