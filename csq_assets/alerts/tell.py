"""The end of every pass: look at how things stand, and tell what is news."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from csq_assets.alerts.conditions import find_conditions
from csq_assets.alerts.delivery import Receiver
from csq_assets.alerts.memory import AlertMemory, Remembered
from csq_assets.alerts.message import compose
from csq_assets.alerts.situation import Condition, Situation, compare
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.errors import CsqError
from csq_assets.lake.locations import Lake
from csq_assets.settings import Settings
from csq_assets.summary import standing_checks


def tell(
    settings: Settings,
    receivers: Sequence[Receiver],
    open_lake: Callable[[], Lake],
    troubles: Sequence[Condition],
    now: datetime,
) -> list[str]:
    """Tell each receiver what is news to it: what the lake says, and `troubles`, of which the lake does
    not know. What cannot be delivered is tried again by the next pass.

    Gives what was done, in sentences. No alert fails a pass: what is outside the code raises nothing.
    """
    memory = AlertMemory(settings.duckdb_path)
    said: list[str] = []
    try:
        with memory.lock():
            remembered = memory.read()
            seen = _look(settings, open_lake, troubles, now, remembered.seen)
            said.extend(_tell_each(settings, receivers, memory, remembered, seen, now))
    except CsqError as error:
        said.append(f"alerts: {error}")
    return said


def _look(
    settings: Settings,
    open_lake: Callable[[], Lake],
    troubles: Sequence[Condition],
    now: datetime,
    seen: Situation,
) -> Situation:
    """How things stand. Where the lake cannot be read, what was seen there last is taken to stand."""
    try:
        state = open_lake().state(settings.skips)
        catalog = state.catalog
        standing = standing_checks(state, evaluate_export(catalog, now), settings.key_prefix)
        found = find_conditions(
            state,
            standing,
            now,
            key_prefix=settings.key_prefix,
            severity=settings.alert_severity,
        )
        present = Situation((*troubles, *found), catalog.names(settings.skips).kept)
    except CsqError:
        subjects = {one.subject for one in troubles}
        kept = (one for one in seen.conditions if one.subject not in subjects)
        present = replace(seen, conditions=(*troubles, *kept))
    return present.dated(seen, now)


def _tell_each(
    settings: Settings,
    receivers: Sequence[Receiver],
    memory: AlertMemory,
    remembered: Remembered,
    seen: Situation,
    now: datetime,
) -> Iterator[str]:
    """Remembers each delivery before the next one, so that a kill repeats one message at most."""
    told = {one.name: remembered.told.get(one.name, Situation()) for one in receivers}
    present = seen.worth_telling(now)

    def remember() -> None:
        nonlocal remembered
        after = Remembered(seen, {**told})
        if after != remembered:
            memory.write(after)
            remembered = after

    remember()
    for receiver in receivers:
        if news := compare(told[receiver.name], present):
            message = compose(news, settings.export_url, settings.ui_url)
            if problem := receiver.deliver(message):
                yield f"{receiver.name} could not be told, the next pass tries again: {problem}"
                continue
            yield f"{receiver.name} was told: {message.title}"
        told[receiver.name] = present
        remember()
