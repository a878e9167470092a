"""The oracle: contract 5 once more, in plain lists and dicts, always from nothing.

It shares no code with the package. It is slow, and says each rule where it is used.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
IDS = ("user_id", "event_id", "session_id")


@dataclass(frozen=True, slots=True)
class Delivered:
    """One table of one delivery. `rows` in manifest order; None if it cannot be decoded."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...] | None
    incremental: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """One manifest that arrived: the whole of what its dump is from now on."""

    dump_id: int
    tables: dict[str, Delivered]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as analysts see it; the order of its rows means nothing."""

    columns: tuple[str, ...]
    rows: Counter[tuple[Any, ...]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Held:
    dump_id: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...] | None
    incremental: bool
    failed: bool  # the newest delivery cannot be decoded; rows are an earlier one's


def current_tables(deliveries: Iterable[Delivery]) -> dict[str, Relation]:
    """Every relation of schema `csq`, without `all_events`."""
    counting = counting_dumps(deliveries)
    identity = user_identity(counting)
    return {table: _current(table, dumps, identity) for table, dumps in counting.items() if dumps}


def all_events(deliveries: Iterable[Delivery]) -> Counter[tuple[Any, ...]]:
    """The rows of `csq.all_events`."""
    deliveries = list(deliveries)
    counting = counting_dumps(deliveries)
    events: Counter[tuple[Any, ...]] = Counter()
    for table, relation in current_tables(deliveries).items():
        names = counting[table][-1].columns
        if _kind(table, names) != "events":
            continue
        for row, times in relation.rows.items():
            shown = dict(zip((*names, "_raw_user_id", "_dump_id"), row, strict=True))
            event = (shown["user_id"], shown["event_id"], shown.get("session_id"))
            events[(*event, shown.get("time"), table, shown["_dump_id"])] += times
    return events


def counting_dumps(deliveries: Iterable[Delivery]) -> dict[str, list[_Held]]:
    """The dumps that make each table, lowest first."""
    return {table: _applied(held) for table, held in _held(deliveries).items()}


def dump_statuses(deliveries: Iterable[Delivery]) -> dict[tuple[int, str], str]:
    """The status of each table of each dump."""
    statuses: dict[tuple[int, str], str] = {}
    for table, dumps in _held(deliveries).items():
        start, has_gap = _start(dumps), False
        for place, dump in enumerate(dumps):
            has_gap |= place >= start and dump.rows is None
            if place < start:
                status = "void"
            elif dump.failed:
                status = "failed"
            else:
                status = "held" if has_gap else "applied"
            statuses[dump.dump_id, table] = status
    return statuses


def tables_with_gap(deliveries: Iterable[Delivery]) -> set[str]:
    """The tables of which a decoded dump waits behind one that has no content."""
    return {
        table
        for table, dumps in _held(deliveries).items()
        if any(dump.rows is not None for dump in dumps[_start(dumps) + len(_applied(dumps)) :])
    }


def _held(deliveries: Iterable[Delivery]) -> dict[str, list[_Held]]:
    """What each dump is by now, by table, lowest first."""
    dumps: dict[int, dict[str, _Held]] = {}
    for delivery in deliveries:
        earlier = dumps.get(delivery.dump_id, {})
        now: dict[str, _Held] = {}
        for table, new in delivery.tables.items():
            known = earlier.get(table)
            if new.rows is None and known is not None and known.rows is not None:
                # a redelivery that fails leaves the earlier content in force
                now[table] = replace(known, failed=True)
            else:
                # user_migrations is complete each time, whatever its manifest says
                incremental = new.incremental and table != "user_migrations"
                failed = new.rows is None
                now[table] = _Held(delivery.dump_id, new.columns, new.rows, incremental, failed)
        dumps[delivery.dump_id] = now
    tables: dict[str, list[_Held]] = {}
    for dump_id in sorted(dumps):
        for table, held in dumps[dump_id].items():
            tables.setdefault(table, []).append(held)
    return tables


def _start(dumps: list[_Held]) -> int:
    start = 0
    for place, dump in enumerate(dumps):
        if not dump.incremental and dump.rows is not None:
            start = place  # a full resync makes everything before it void
    return start


def _applied(dumps: list[_Held]) -> list[_Held]:
    applied = []
    for dump in dumps[_start(dumps) :]:
        if dump.rows is None:
            break  # a gap: what comes after it is held
        applied.append(dump)
    return applied


def user_identity(counting: dict[str, list[_Held]]) -> dict[int, int]:
    """Where each id leads; only ids that change."""
    migrations = counting.get("user_migrations")
    target: dict[int, int] = {}
    for row in (migrations[-1].rows or ()) if migrations else ():
        start, end = strict(row.get("from_user_id")), strict(row.get("to_user_id"))
        if start is not None and end is not None and start != end:
            target[start] = end
    identity: dict[int, int] = {}
    for start in target:
        seen = [start]
        while seen[-1] in target and target[seen[-1]] not in seen:
            seen.append(target[seen[-1]])
        end = seen[-1]
        if end in target:
            end = min(seen[seen.index(target[end]) :])  # a cycle becomes its smallest id
        if end != start:
            identity[start] = end
    return identity


def strict(text: str | None) -> int | None:
    """The id that a text is, if it is one."""
    if text is None or re.fullmatch("-?[0-9]+", text) is None:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _kind(table: str, columns: Sequence[str]) -> str:
    if table in ("users", "sessions", "user_migrations"):
        return table
    return "events" if "user_id" in columns and "event_id" in columns else "other"


def _current(table: str, dumps: list[_Held], identity: dict[int, int]) -> Relation:
    columns = dumps[-1].columns
    kind = _kind(table, columns)
    rows = []
    for dump in dumps[-1:] if kind == "user_migrations" else dumps:
        for row in dump.rows or ():
            raw: Any = row.get("user_id")
            own = {"_raw_user_id": raw, "_dump_id": dump.dump_id, "_age": len(rows)}
            rows.append({**row, "user_id": identity.get(raw, raw), **own})
    if kind == "users":
        rows = _merged(_winners(rows, ("_raw_user_id",)))
    elif kind == "sessions":
        rows = _winners(rows, ("user_id", "session_id"))
    elif kind == "events":
        rows = _winners(rows, ("user_id", "event_id"))
    own = ["_dump_id"]
    if "user_id" in columns and kind != "users":
        own.insert(0, "_raw_user_id")
    names = _told_apart([column for dump in dumps for column in dump.columns])
    shown = (*(names[column] for column in columns), *own)
    found = Counter(tuple(row.get(column) for column in (*columns, *own)) for row in rows)
    return Relation(shown, found)


def _winners(rows: list[Row], key: tuple[str, ...]) -> list[Row]:
    """The last row of each key, as rows come in the order of dump, file and row; null keys stay."""
    kept: dict[Any, Row] = {}
    for row in rows:
        values = tuple(row.get(column) for column in key)
        kept[("null", row["_age"]) if None in values else values] = row
    return list(kept.values())


def _merged(rows: list[Row]) -> list[Row]:
    users: dict[Any, list[Row]] = {}
    for row in rows:
        user = ("null", row["_age"]) if row["user_id"] is None else row["user_id"]
        users.setdefault(user, []).append(row)
    return [_merge(group) for group in users.values()]


def _merge(group: list[Row]) -> Row:
    ordered = sorted(group, key=lambda row: (row["_raw_user_id"] != row["user_id"], -row["_age"]))
    merged: Row = {}
    for column in dict.fromkeys(name for row in ordered for name in row):
        values = [row[column] for row in ordered if row.get(column) is not None]
        if column == "joindate":
            merged[column] = _extreme(values, earliest=True)
        elif column == "last_modified":
            merged[column] = _extreme(values, earliest=False)
        else:
            merged[column] = values[0] if values else None
    merged["_dump_id"] = max(row["_dump_id"] for row in group)
    return merged


def _extreme(texts: list[str], *, earliest: bool) -> str | None:
    choose = min if earliest else max  # both give the first of equal ones
    dated = [text for text in texts if instant(text) is not None]
    if dated:
        return choose(dated, key=lambda text: instant(text) or 0)
    return choose(texts, default=None)


def instant(text: str) -> Fraction | None:
    """Seconds since 1970, to the microsecond; None for a text that is not an instant."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        number = Fraction(text)
        if not -(2**63) <= int(number) < 2**63:
            return None
        unit = 1 if abs(number) < 10**11 else 10**3 if abs(number) < 10**14 else 10**6
        return Fraction(int(number * 10**6 / unit), 10**6)
    day_text, *rest = re.split("[Tt ]", text, maxsplit=1)
    day = _day(day_text)
    if rest in (["UTC"], ["GMT"]):
        return Fraction(day // timedelta(seconds=1)) if day and text[-4] == " " else None
    start = _since_midnight(rest[0]) if rest else Fraction(0)
    if day is None or start is None:
        return None
    return day // timedelta(seconds=1) + Fraction(int(start * 10**6 // 1), 10**6)


def _day(text: str) -> timedelta | None:
    """From 1970 to the start of the day."""
    style = _DATES.get(re.sub("[0-9]", "0", text))
    try:
        day = datetime.strptime(text, style) if style else None  # noqa: DTZ007
    except ValueError:
        return None
    # strptime takes day 366, and week 53, of years that have none.
    year = day.isocalendar()[0] if day and "W" in text else day and day.year
    return day - datetime(1970, 1, 1) if day and year == int(text[:4]) else None  # noqa: DTZ001


def _since_midnight(text: str) -> Fraction | None:
    """Seconds from UTC's midnight."""
    spelled = re.fullmatch(
        r"(.*?)(?:[.,]([0-9]+))?(?: ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)| (?:UTC|GMT))?", text
    )
    if spelled is None or re.sub("[0-9]", "0", spelled[1]) not in _CLOCKS:
        return None
    clock, zone = spelled[1].replace(":", ""), (spelled[3] or "Z").replace(":", "")
    hour, minute, second = (int(part or 0) for part in (clock[:2], clock[2:4], clock[4:]))
    unit = {2: 3600, 4: 60, 6: 1}[len(clock)]
    local = hour * 3600 + minute * 60 + second + Fraction(f"0.{spelled[2] or 0}") * unit
    ahead = int(zone[1:3] or 0) * 3600 + int(zone[3:] or 0) * 60
    start = local + (ahead if zone[0] == "-" else -ahead)
    in_range = minute < 60 and zone[1:3] < "24" and zone[3:] < "60"
    midnight = hour == 24 and local == 24 * 3600
    leap = second == 60 and start // 1 % (24 * 3600) == 0
    return start if in_range and (hour < 24 or midnight) and (second < 60 or leap) else None


_DATES = {
    "0000-00-00": "%Y-%m-%d",
    "00000000": "%Y%m%d",
    "0000-000": "%Y-%j",
    "0000000": "%Y%j",
    "0000-W00-0": "%G-W%V-%u",
    "0000W000": "%GW%V%u",
}
_CLOCKS = ("00", "00:00", "00:00:00", "0000", "000000")


def _told_apart(seen: Sequence[str]) -> dict[str, str]:
    """Of names that differ only in the case of ASCII letters, the first seen is shown as it is. The
    others get the next suffix that no column has, delivered or shown."""
    lowered = {name: re.sub("[A-Z]", lambda letter: letter[0].lower(), name) for name in seen}
    used = set(lowered.values())
    plain: set[str] = set()
    shown: dict[str, str] = {}
    for column, low in lowered.items():  # in the order in which they were seen
        suffix = 2
        shown[column] = column
        if low in plain:
            while f"{low}_{suffix}" in used:
                suffix += 1
            used.add(f"{low}_{suffix}")
            shown[column] = f"{column}_{suffix}"
        plain.add(low)
    return shown
