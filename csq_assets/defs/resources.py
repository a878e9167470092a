"""The export and the lake as Dagster resources."""

import dagster as dg

from csq_assets.aws import s3_client
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export, open_lake


class ExportResource(dg.ConfigurableResource):
    """Where Contentsquare delivers. Nothing is ever written there."""

    url: str
    manifest_prefix: str

    def open(self) -> Export:
        return open_export(self.url, self.manifest_prefix, s3_client)


class LakeResource(dg.ConfigurableResource):
    """Where decoded dumps are kept, and what is remembered of them."""

    url: str

    def open(self) -> Lake:
        return open_lake(self.url, s3_client)
