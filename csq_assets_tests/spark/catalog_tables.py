"""What the REST catalog says of an Iceberg table, without Spark."""

import json
from dataclasses import dataclass

from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.table import Table

from csq_assets.spark.iceberg import STATE
from csq_assets_tests.spark.s3 import CATALOG, S3


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """The table of this name, which is there."""

    s3: S3
    name: str

    def heads(self) -> dict[str, int]:
        """The snapshot of each branch."""
        return {name: ref.snapshot_id for name, ref in self._load().metadata.refs.items()}

    def applied(self) -> list[int]:
        """The dumps that the snapshot of `main` names."""
        head = self._load().current_snapshot()
        assert head
        assert head.summary
        return [dump[0] for dump in json.loads(str(head.summary[STATE]))["dumps"]]

    def _load(self) -> Table:
        prefix = f"spark.sql.catalog.{CATALOG}."
        options = {name.removeprefix(prefix): one for name, one in self.s3.catalog_conf.items()}
        return RestCatalog(CATALOG, **options).load_table(self.name)
