"""What the lake knows of marts and published relations that are not up to date."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from csq_assets.dataconnect.mart_results import is_mart
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    PUBLISHED_ASSETS,
    USER_IDENTITY,
    published_asset,
)
from csq_assets.errors import CsqError
from csq_assets.lake.documents import LakeDocuments
from csq_assets.settings import Settings


@contextmanager
def problems_remembered(documents: LakeDocuments, asset: str) -> Iterator[None]:
    """Remember what fails, and at the end of what does not that all is well."""
    try:
        yield
    except CsqError as error:
        with suppress(CsqError):  # the first error is the one to tell
            documents.save_relation(Relation(asset, problem=str(error)))
        raise
    documents.save_relation(Relation(asset))


def forget_unwanted(
    documents: LakeDocuments, state: PipelineState, settings: Settings
) -> PipelineState:
    """Forget what is known of marts, and of published relations, that the settings want no more: no
    step of theirs will. Gives the state without."""
    wanted: set[str] = set()
    if settings.publish_url is not None:
        tables = state.catalog.names(settings.skips).kept
        wanted = {published_asset(one) for one in (*tables, ALL_EVENTS, USER_IDENTITY)}
    relations = dict(state.relations)
    for asset, relation in state.relations.items():
        is_left = asset.startswith(f"{PUBLISHED_ASSETS}/") and asset not in wanted
        if settings.dbt_project is None:
            is_left |= is_mart(asset)
            relations[asset] = replace(relation, tests=())
        if is_left:
            del relations[asset]
        if (kept := relations.get(asset, Relation(asset))) != relation:
            documents.save_relation(kept)
    return replace(state, relations=relations)
