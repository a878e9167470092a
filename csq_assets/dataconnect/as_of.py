"""The state of the pipeline as it was after a dump, as far as the lake knows it now."""

from dataclasses import replace

from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.wording import dumps
from csq_assets.errors import UsageError

_SHOWN = 5  # dumps in a message


def as_of(state: PipelineState, dump_id: int) -> PipelineState:
    """The state if no higher dump had come: what each dump delivers is what the lake has of it now.

    Sync reports belong to no dump, and stay. What refreshes left is not known of that time.
    Raises UsageError for a dump that the lake does not have.
    """
    if dump_id not in state.records:
        newest = tuple(state.records)[-_SHOWN:]
        raise UsageError(
            f"there is no dump {dump_id} in the lake",
            remedy=f"The newest are {dumps(newest)}." if newest else "Run csq sync first.",
        )
    manifests = tuple(seen for seen in state.catalog.manifests if seen.dump_id <= dump_id)
    records = {known: record for known, record in state.records.items() if known <= dump_id}
    return replace(
        state, catalog=replace(state.catalog, manifests=manifests), records=records, relations={}
    )
