"""What the values of each dump's columns have in common: read once from its partition, and kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_meanings import InstantMeaning, instant_meaning
from csq_assets.dataconnect.column_types import EVERY_FIT, ColumnHistory, Fit
from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.warehouse.engine import first_row
from csq_assets.warehouse.fit_sql import fits
from csq_assets.warehouse.partition_files import DumpContent, PartitionFile, open_partitions

# Grows when a text fits other types than before: then facts are read again.
_RULES = 1
# The sample rules out most types; so many values cost little, and so few rows of a wide table do.
_SAMPLED_ROWS, _SAMPLED_VALUES = 1_000, 100_000
# DuckDB's planner takes long over more aggregates at once.
_AGGREGATES = 400


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
    sampled = _sample(connection, partition, names)
    empty = _without_values(
        connection, partition, [name for name, found in sampled.items() if Fit.NOTHING in found]
    )
    found = dict.fromkeys(names, Fit(0)) | dict.fromkeys(empty, EVERY_FIT)
    open_points = {
        name: possible | (Fit.INSTANT if instant_meaning(table, name) else Fit(0))
        for name, possible in sampled.items()
        if name not in empty
    }
    for part in _parts(open_points):
        found |= _check(connection, table, partition, part)
    return found


def _sample(
    connection: DuckDBPyConnection, partition: PartitionFile, names: Sequence[str]
) -> dict[str, Fit]:
    """What may be true of each column, but for INSTANT."""
    rows = max(1, min(_SAMPLED_ROWS, _SAMPLED_VALUES // len(names)))
    delivered = {name: f"c{place}" for place, name in enumerate(names)}
    asked = [fit for fit in Fit if fit not in (Fit.NOTHING, Fit.INSTANT)]
    counts = connection.execute(
        f"WITH delivered AS ({partition.select(delivered)} LIMIT {rows:d}), "
        f"each AS (SELECT unnest([{', '.join(delivered.values())}]) AS text, "
        f"unnest(range({len(names):d})) AS place FROM delivered) "
        f"SELECT place, count(text), {', '.join(_count(fit, 'text', None) for fit in asked)} "
        "FROM each GROUP BY place"
    ).fetchall()
    found = dict.fromkeys(names, EVERY_FIT & ~Fit.INSTANT)
    for place, values, *fitting in counts:
        found[names[int(place)]] = _true_of_all([Fit.NOTHING, *asked], values, [0, *fitting])
    return found


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


def _parts(open_points: Mapping[str, Fit]) -> Iterator[dict[str, Fit]]:
    """Of columns that may fit something, so many at a time as DuckDB plans well."""
    part: dict[str, Fit] = {}
    for name, possible in open_points.items():
        if possible:
            part[name] = possible
        if sum(1 + each.bit_count() for each in part.values()) > _AGGREGATES:
            yield part
            part = {}
    if part:
        yield part


def _check(
    connection: DuckDBPyConnection, table: str, partition: PartitionFile, part: Mapping[str, Fit]
) -> Iterator[tuple[str, Fit]]:
    """What is true of every row, of what may be."""
    delivered = {name: f"c{place}" for place, name in enumerate(part)}
    asked = [
        count
        for name, text in delivered.items()
        for count in (
            f"count({text})",
            *(_count(fit, text, instant_meaning(table, name)) for fit in part[name]),
        )
    ]
    counts = iter(
        first_row(
            connection,
            f"WITH delivered AS ({partition.select(delivered)}) "
            f"SELECT {', '.join(asked)} FROM delivered",
        )
        or ()
    )
    for name, asked_fits in part.items():
        yield name, _true_of_all(asked_fits, next(counts), [next(counts) for _ in asked_fits])


def _count(fit: Fit, text: str, meaning: InstantMeaning | None) -> str:
    """How many values fit; where there is none, this is as many as there are."""
    return "0" if fit is Fit.NOTHING else f"count_if({fits(text, fit, meaning)})"


def _true_of_all(asked: Iterable[Fit], values: int, fitting: Sequence[int]) -> Fit:
    """Those that as many values fit as there are."""
    found = Fit(0)
    for fit, count in zip(asked, fitting, strict=True):
        if count == values:
            found |= fit
    return found
