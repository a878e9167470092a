"""Factory of `csq/published/*`: an asset and a step for each relation that other engines read."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from csq_assets.aws import open_s3_client
from csq_assets.dataconnect.tables import ALL_EVENTS, USER_IDENTITY, published_asset
from csq_assets.defs.descriptions import describe_published
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys, step_name
from csq_assets.defs.metadata import published_metadata
from csq_assets.defs.resources import Resources, connect
from csq_assets.interruption import interruptible
from csq_assets.pipeline.problems import problems_remembered
from csq_assets.publish.open import open_publication
from csq_assets.publish.publication import Published
from csq_assets.settings import Settings


def published_relations(tables: Sequence[str]) -> tuple[str, ...]:
    """What of these tables is published. A table named `user_identity` takes the map's place."""
    return tuple(dict.fromkeys((*tables, ALL_EVENTS, USER_IDENTITY)))


class PublicationConfig(dg.Config):
    """With `purge`, earlier versions end with it, and their files are deleted at once."""

    purge: bool = False


@dataclass(frozen=True, slots=True)
class PublishedAssets:
    """The factory, for settings that name a place."""

    keys: Keys
    settings: Settings

    def build(self, tables: Sequence[str]) -> list[dg.AssetsDefinition]:
        """The assets of what `published_relations` gives."""
        sources = {USER_IDENTITY: self.keys.user_identity, ALL_EVENTS: self.keys.all_events}
        sources |= {table: self.keys.current(table) for table in tables}
        return [self._asset(name, sources[name]) for name in published_relations(tables)]

    def _asset(self, relation: str, source: dg.AssetKey) -> dg.AssetsDefinition:
        key, format_name = self.keys.published(relation), self.settings.publish_format
        spec = dg.AssetSpec(
            key,
            deps=[source],
            description=describe_published(relation, format_name.capitalize()),
            group_name=self.keys.group("published"),
            kinds={format_name},
            owners=self.settings.owners,
            tags={"dagster/storage_kind": format_name},
        )

        @dg.multi_asset(
            name=step_name(key),
            specs=[spec],
            can_subset=True,
            required_resource_keys={self.keys.lake, self.keys.duckdb},
        )
        def published(
            context: dg.AssetExecutionContext, config: PublicationConfig
        ) -> Iterator[dg.MaterializeResult[Any]]:
            resources = Resources(context.resources, self.keys)
            with errors_as_failures(), self._remembered(resources, relation):
                done = self._publish(resources, relation, purges=config.purge)
            yield dg.MaterializeResult(
                asset_key=key, metadata=published_metadata(done) if done else {}
            )

        return published

    @staticmethod
    def _remembered(resources: Resources, relation: str) -> AbstractContextManager[None]:
        documents = resources.lake.open().documents
        return problems_remembered(documents, published_asset(relation))

    def _publish(self, resources: Resources, relation: str, *, purges: bool) -> Published | None:
        def publish() -> Published | None:
            client = lambda: open_s3_client(resources.lake.s3)  # noqa: E731
            with open_publication(self.settings, client) as publication:
                act = publication.purge if purges else publication.publish
                return act(connection, relation)

        with connect(resources.duckdb) as connection:
            return interruptible(publish, stop=connection.interrupt)
