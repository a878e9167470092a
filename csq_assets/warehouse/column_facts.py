"""What the values of each dump's columns have in common: read once from its partition, and kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_meanings import InstantMeaning, instant_meaning
from csq_assets.dataconnect.column_types import EVERY_FIT, ColumnHistory, Fit
from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.warehouse.engine import first_row
from csq_assets.warehouse.fit_sql import fits, is_usual_instant
from csq_assets.warehouse.partition_files import DumpContent, PartitionFile, open_partitions

# Grows when a text fits other types than before: then facts are read again.
_RULES = 1
# The sample rules out most types; so many values cost little, and so few rows of a wide table do.
_SAMPLED_ROWS, _SAMPLED_VALUES = 1_000, 100_000
# DuckDB's planner takes long over more columns at once.
_COLUMNS, _SAMPLED_COLUMNS = 100, 500

Predicate: TypeAlias = Callable[[str, Fit, InstantMeaning | None], str]


class ColumnFacts:
    """The facts of one table, in the transaction that applies its dumps. `anew`, all are read again."""

    def __init__(self, connection: DuckDBPyConnection, table: str, *, anew: bool = False) -> None:
        self._connection, self._table = connection, table
        found = connection.execute(
            "SELECT dump_id, content FROM csq_ledger.facts WHERE table_name = ? AND rules = ?",
            [table, _RULES],
        ).fetchall()
        self._known: set[tuple[int, str]] = set() if anew else set(found)

    def note(self, partition: PartitionFile) -> None:
        """Read the facts of the partition, unless they are known."""
        dump = partition.dump
        if (dump.dump_id, dump.content) in self._known:
            return
        with partition.reading():
            found = read_facts(self._connection, self._table, partition)
        self._delete("dump_id = ?", dump.dump_id)
        self._connection.execute(
            "INSERT INTO csq_ledger.facts VALUES (?, ?, ?, ?, ?, ?)",
            [self._table, dump.dump_id, dump.content, _RULES, list(found), list(found.values())],
        )
        self._known.add((dump.dump_id, dump.content))

    def keep(self, dumps: Sequence[DumpContent]) -> None:
        """Have the facts of these dumps, and of no others. Raises StorageError where a partition
        cannot be read."""
        missing = [dump for dump in dumps if (dump.dump_id, dump.content) not in self._known]
        with open_partitions(missing) as partitions:
            for partition in partitions:
                self.note(partition)
        ids = [dump.dump_id for dump in dumps]
        self._delete("NOT dump_id IN (SELECT unnest(?::BIGINT[]))", ids)

    def histories(self) -> dict[str, ColumnHistory]:
        """Each column of text over the dumps that are kept."""
        steps = self._connection.execute(
            "WITH each AS (SELECT dump_id, unnest(columns) AS name, unnest(fits) AS fits "
            "FROM csq_ledger.facts WHERE table_name = ?), "
            "so_far AS (SELECT name, dump_id, "
            "bit_and(fits) OVER (PARTITION BY name ORDER BY dump_id) AS fits FROM each) "
            "SELECT name, min(dump_id), fits FROM so_far GROUP BY name, fits ORDER BY name, 2",
            [self._table],
        ).fetchall()
        histories: dict[str, tuple[tuple[int, Fit], ...]] = {}
        for name, dump_id, found in steps:
            histories[name] = (*histories.get(name, ()), (dump_id, Fit(found)))
        return {name: ColumnHistory(found) for name, found in histories.items()}

    def _delete(self, condition: str, value: object) -> None:
        self._connection.execute(
            f"DELETE FROM csq_ledger.facts WHERE table_name = ? AND {condition}",
            [self._table, value],
        )


def tables_without_facts(connection: DuckDBPyConnection) -> frozenset[str]:
    """The tables of which some applied dump has no facts: an earlier version applied it."""
    found = connection.execute(
        "SELECT DISTINCT table_name FROM csq_ledger.dumps JOIN csq_ledger.tables USING (table_name) "
        "WHERE NOT (table_name, dump_id, content) IN "
        "(SELECT table_name, dump_id, content FROM csq_ledger.facts WHERE rules = ?)",
        [_RULES],
    ).fetchall()
    return frozenset(table for (table,) in found)


def read_facts(
    connection: DuckDBPyConnection, table: str, partition: PartitionFile
) -> dict[str, Fit]:
    """Of each column of text, what is true of all its values: of a sample first, then of every row."""
    names = [name for name in partition.columns if name not in ID_COLUMNS]
    if not names:
        return {}
    sampled, is_whole = _sample(connection, partition, names)
    unseen = [name for name, found in sampled.items() if Fit.NOTHING in found]
    empty = unseen if is_whole else _without_values(connection, partition, unseen)
    sparse = [name for name in unseen if name not in set(empty)]
    sampled |= _sample_sparse(connection, partition, sparse)
    found = dict.fromkeys(names, Fit(0)) | dict.fromkeys(empty, EVERY_FIT)
    open_points = {
        name: _asked(possible, instant_meaning(table, name))
        for name, possible in sampled.items()
        if name not in empty
    }
    if is_whole:  # every row was looked at
        found |= {name: possible & ~Fit.INSTANT for name, possible in open_points.items()}
        open_points = {name: possible & Fit.INSTANT for name, possible in open_points.items()}
    asked = [name for name, possible in open_points.items() if possible]
    for start in range(0, len(asked), _COLUMNS):
        part = {name: open_points[name] for name in asked[start : start + _COLUMNS]}
        for name, true in _check(connection, table, partition, part, _usually_fits):
            found[name] |= true
        unusual = {
            name: Fit.INSTANT
            for name, possible in part.items()
            if Fit.INSTANT in possible and Fit.INSTANT not in found[name]
        }
        for name, true in _check(connection, table, partition, unusual, fits) if unusual else ():
            found[name] |= true
    return found


def _usually_fits(text: str, fit: Fit, meaning: InstantMeaning | None) -> str:
    return is_usual_instant(text) if fit is Fit.INSTANT else fits(text, fit, meaning)


def _asked(possible: Fit, meaning: InstantMeaning | None) -> Fit:
    """What is to be asked of every row: no more than the decision takes."""
    if meaning is None:
        return possible
    if meaning is InstantMeaning.DOCUMENTED:
        possible &= Fit.NOTHING
    return possible | Fit.INSTANT


def _sample(
    connection: DuckDBPyConnection, partition: PartitionFile, names: Sequence[str]
) -> tuple[dict[str, Fit], bool]:
    """What may be true of each column, but for INSTANT; and whether these are all rows."""
    rows = max(1, min(_SAMPLED_ROWS, _SAMPLED_VALUES // len(names)))
    delivered = {name: f"c{place}" for place, name in enumerate(names)}
    facts = connection.execute(
        f"WITH delivered AS ({partition.select(delivered)} LIMIT {rows:d}), "
        f"each AS (SELECT unnest([{', '.join(delivered.values())}]) AS text, "
        f"unnest(range({len(names):d})) AS place FROM delivered) "
        f"SELECT place, {_true_of_all('text', EVERY_FIT & ~Fit.INSTANT, None)}, count(*) "
        "FROM each GROUP BY place"
    ).fetchall()
    sampled = {names[int(place)]: Fit(found) for place, found, _ in facts}
    is_whole = all(seen < rows for *_, seen in facts)
    return {name: sampled.get(name, EVERY_FIT) & ~Fit.INSTANT for name in names}, is_whole


def _sample_sparse(
    connection: DuckDBPyConnection, partition: PartitionFile, names: Sequence[str]
) -> dict[str, Fit]:
    """The same of columns that have values further down: by one value of each."""
    values: list[str | None] = []
    for start in range(0, len(names), _SAMPLED_COLUMNS):
        delivered = {
            name: f"c{place}" for place, name in enumerate(names[start : start + _SAMPLED_COLUMNS])
        }
        one_each = ", ".join(f"any_value({text})" for text in delivered.values())
        values += (
            first_row(
                connection,
                f"WITH delivered AS ({partition.select(delivered)}) "
                f"SELECT {one_each} FROM delivered",
            )
            or ()
        )
    facts = connection.execute(
        f"SELECT place, {_true_of_all('text', EVERY_FIT & ~Fit.INSTANT, None)} FROM "
        "(SELECT unnest(?::VARCHAR[]) AS text, unnest(range(?)) AS place) GROUP BY place",
        [values, len(names)],
    ).fetchall()
    return {names[int(place)]: Fit(found) & ~Fit.INSTANT for place, found in facts}


def _without_values(
    connection: DuckDBPyConnection, partition: PartitionFile, names: Sequence[str]
) -> list[str]:
    """Those that the file itself says are null in every row."""
    if not names:
        return []
    place_of = partition.places
    places = {place_of[name]: name for name in names}
    found = connection.execute(
        "SELECT column_id FROM parquet_metadata(?) GROUP BY column_id "
        "HAVING sum(stats_null_count) = sum(num_values)",
        [str(partition.path)],
    ).fetchall()
    return [places[place] for (place,) in found if place in places]


def _check(
    connection: DuckDBPyConnection,
    table: str,
    partition: PartitionFile,
    part: Mapping[str, Fit],
    predicate: Predicate,
) -> Iterable[tuple[str, Fit]]:
    """What is true of every row, of what may be, as `predicate` says."""
    delivered = {name: f"c{place}" for place, name in enumerate(part)}
    asked = [
        _true_of_all(text, part[name], instant_meaning(table, name), predicate)
        for name, text in delivered.items()
    ]
    facts = first_row(
        connection,
        f"WITH delivered AS ({partition.select(delivered)}) "
        f"SELECT {', '.join(asked)} FROM delivered",
    )
    return zip(part, map(Fit, facts or ()), strict=True)


def _true_of_all(
    text: str, asked: Fit, meaning: InstantMeaning | None, predicate: Predicate = fits
) -> str:
    """The aggregate of what is true of every value; all is, where there is none."""
    each = " + ".join(
        f"CASE WHEN {predicate(text, fit, meaning)} THEN {fit:d} ELSE 0 END"
        for fit in asked
        if fit is not Fit.NOTHING
    )
    # Only values are looked at: of a wide table most are null.
    return f"coalesce(bit_and(CASE WHEN {text} IS NOT NULL THEN {each or '0'} END), {EVERY_FIT:d})"
