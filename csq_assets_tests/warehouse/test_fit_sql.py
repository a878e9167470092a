"""Over any texts: what a type takes, it takes whole, and instants are those of the oracle."""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

import duckdb
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csq_assets.dataconnect.column_meanings import InstantMeaning
from csq_assets.dataconnect.column_types import ColumnType, Fit, decide
from csq_assets.dataconnect.instants import microseconds_from_text
from csq_assets.warehouse.fit_sql import fits, pinned, timestamp, typed

few = settings(max_examples=settings().max_examples // 2, deadline=None)  # DuckDB plans for long
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = st.integers().map(str) | st.floats().map(json.dumps) | st.decimals(places=2).map(str)
MOMENTS = st.datetimes().map(str) | st.datetimes().map(datetime.isoformat) | st.dates().map(str)
ODD = st.sampled_from(
    [
        *("true", "false", "True", "t", "", " ", "null", "None", "-", "+1", "007", "-0", "-0.0"),
        *(" 1", "1 ", "1\n", "1_000", "0x10", "1e5", "1E5", "1e400", "nan", "inf", "Infinity"),
        *("1.50", "1.5", "1.", ".5", "19.90", "-0.00", "9007199254740993", "9" * 19, "9" * 400),
        *("2024-02-29", "2023-02-29", "0000-01-01", "10000-01-01", "infinity", "epoch", "2024-2-9"),
        *("2024-02-29 24:00:00", "2024-02-29T12:00:60", "2024-02-29T12:00:00Z", "2024-060"),
        *("2024-02-29T12:00:00+02:00", "2024-02-29 12:00:00.1234567", "2024-02-29 12:00 (BC)"),
        *("1714000000000", "-62135596800", "-62135596801", "253402300800000000", "2024-02-29\n"),
    ]
)
TEXTS = NUMBERS | MOMENTS | MOMENTS.map("{}Z".format) | ODD | st.text()


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def read(
    engine: DuckDBPyConnection, texts: Sequence[str], *expressions: str
) -> list[tuple[Any, ...]]:
    selected = ", ".join(expressions)
    return engine.execute(
        f"SELECT {selected} FROM (SELECT unnest(?::VARCHAR[]) AS text)",  # noqa: S608  # our own
        [texts],
    ).fetchall()


def as_text(value: Any, text: str) -> str:
    """The value as `text` would have been written for it."""
    match value:
        case bool():
            return json.dumps(value)
        case datetime():
            found = value.isoformat("T" if "T" in text else " ")
            _, _, digits = text.removesuffix("Z").partition(".")
            whole, _, micros = found.partition(".")
            found = f"{whole}.{micros.ljust(6, '0')[: len(digits)]}" if digits else whole
            assert micros[len(digits) :].strip("0") == ""
            return found + ("Z" if text.endswith("Z") else "")
        case date() | int():
            return str(value)
        case float() if text.lstrip("-").isdigit():
            return str(int(value))
        case float() if text[-3:-2] == "." and json.dumps(value) != text:
            return f"{value:.2f}"
        case _:
            return json.dumps(value) if isinstance(value, float) else value


@few
@given(texts=st.lists(TEXTS, min_size=1, max_size=30))
def test_a_typed_column_loses_and_changes_no_value(
    engine: DuckDBPyConnection, texts: list[str]
) -> None:
    asked = [fit for fit in Fit if fit is not Fit.NOTHING]
    found = read(
        engine,
        texts,
        *(f"coalesce({fits('text', fit, None)}, FALSE)" for fit in asked),
        *(typed("text", kind, None) for kind in ColumnType),
    )
    for text, row in zip(texts, found, strict=True):
        true = reduce(
            or_, (fit for fit, is_true in zip(asked, row, strict=False) if is_true), Fit(0)
        )
        kind = decide(true, None).type
        value = row[len(asked) + list(ColumnType).index(kind)]
        assert value is not None
        assert as_text(value, text) == text


@few
@given(texts=st.lists(NUMBERS | ODD, min_size=2, max_size=30, unique=True))
def test_different_texts_stay_different_numbers(
    engine: DuckDBPyConnection, texts: list[str]
) -> None:
    """But for a whole number that is spelled with a point as well."""
    for fit in (Fit.BIGINT, Fit.DOUBLE, Fit.CENTS):
        kind = ColumnType.BIGINT if fit is Fit.BIGINT else ColumnType.DOUBLE
        found = read(
            engine,
            texts,
            f"CASE WHEN {fits('text', fit, None)} THEN {typed('text', kind, None)} END",
        )
        taken = [
            (value, text.endswith(".0"))
            for (value,), text in zip(found, texts, strict=True)
            if value is not None
        ]
        assert len(set(taken)) == len(taken)


@few
@given(texts=st.lists(TEXTS, min_size=1, max_size=30))
@example(["1714000000", "1714000000000.5", "2024-W17-3T23:06:40+00:00"])
def test_timestamps_are_the_instants_of_the_oracle(
    engine: DuckDBPyConnection, texts: list[str]
) -> None:
    found = read(engine, texts, timestamp("text"))
    assert [value for (value,) in found] == [
        in_calendar(microseconds_from_text(text)) for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "is_instant", "is_no_duration"),
    [
        ("1714000000000", True, True),
        ("100000000", True, True),
        ("99999999.9", True, False),
        ("-5", True, False),
        ("2024-02-30", False, False),
        ("9223372036854775807", False, False),
    ],
)
def test_what_may_be_seconds_is_an_instant_from_1973_on(
    engine: DuckDBPyConnection, text: str, *, is_instant: bool, is_no_duration: bool
) -> None:
    asked = (InstantMeaning.DOCUMENTED, InstantMeaning.DISPUTED)
    ((documented, disputed),) = read(
        engine, [text], *(fits("text", Fit.INSTANT, meaning) for meaning in asked)
    )
    assert (bool(documented), bool(disputed)) == (is_instant, is_no_duration)


def in_calendar(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    try:
        return (EPOCH + timedelta(microseconds=microseconds)).replace(tzinfo=None)
    except OverflowError:
        return None


@few
@given(texts=st.lists(TEXTS, min_size=1, max_size=30))
def test_what_fits_a_type_fits_it_when_it_is_chosen(
    engine: DuckDBPyConnection, texts: list[str]
) -> None:
    """A chosen type reads more spellings, and reads those of its own alike."""
    own = {
        ColumnType.BOOLEAN: Fit.BOOLEAN,
        ColumnType.BIGINT: Fit.BIGINT,
        ColumnType.DOUBLE: Fit.DOUBLE,
        ColumnType.DATE: Fit.DATE,
        ColumnType.TIMESTAMP: Fit.TIMESTAMP,
    }
    for kind, fit in own.items():
        for takes, value, chosen in read(
            engine, texts, fits("text", fit, None), typed("text", kind, None), pinned("text", kind)
        ):
            assert not takes or value == chosen


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ColumnType.BIGINT, " 007", 7),
        (ColumnType.BIGINT, "+1", 1),
        (ColumnType.BIGINT, "1.5", None),
        (ColumnType.BIGINT, "1_000", None),
        (ColumnType.DOUBLE, "1.50", 1.5),
        (ColumnType.DOUBLE, "1E5", 1e5),
        (ColumnType.DOUBLE, "nan", None),
        (ColumnType.DOUBLE, "1e400", None),
        (ColumnType.DOUBLE, "9007199254740992", 2.0**53),
        (ColumnType.DOUBLE, "9007199254740993", None),
        (ColumnType.DOUBLE, "1" + "0" * 39, None),
        (ColumnType.BOOLEAN, "TRUE", True),
        (ColumnType.BOOLEAN, "1", None),
        (ColumnType.DATE, "2024-02-29 12:00:00", None),
        (ColumnType.DATE, "2023-02-29", None),
        (ColumnType.TIMESTAMP, "1714000000", datetime.fromisoformat("2024-04-24 23:06:40")),
        (ColumnType.TIMESTAMP, "soon", None),
        (ColumnType.VARCHAR, " 007", " 007"),
    ],
)
def test_a_chosen_type_rounds_no_whole_number(
    engine: DuckDBPyConnection, kind: ColumnType, text: str, value: object
) -> None:
    assert read(engine, [text], pinned("text", kind)) == [(value,)]
    assert not isinstance(value, float) or math.isfinite(value)
