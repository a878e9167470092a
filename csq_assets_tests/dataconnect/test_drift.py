"""What changed in a table's columns."""

import pytest

from csq_assets.dataconnect.drift import ColumnDrift, Retyped, compare
from csq_assets.dataconnect.raw_schema import FileColumn, RawSchema


def schema(**types: str) -> RawSchema:
    """The columns as manifest and files have them; several types of one are separated by spaces."""
    columns = tuple(FileColumn(name, tuple(kinds.split())) for name, kinds in types.items())
    return RawSchema(tuple(types), columns)


def test_the_same_columns_do_not_drift() -> None:
    drift = compare(schema(user_id="long", plan="string"), schema(user_id="long", plan="string"))
    assert drift == ColumnDrift()
    assert not drift


def test_order_does_not_count() -> None:
    assert not compare(schema(a="long", b="string"), schema(b="string", a="long"))


@pytest.mark.edge(69)
def test_a_column_that_came_is_an_addition_alone() -> None:
    drift = compare(schema(a="long"), schema(c="string", a="long", b="string"))
    assert drift == ColumnDrift(added=("c", "b"))
    assert drift.only_adds
    assert drift.in_words() == 'adds "c", "b"'


@pytest.mark.edge(69)
def test_a_column_that_went_is_more_than_an_addition() -> None:
    drift = compare(schema(a="long", tier="string", b="long"), schema(plan="string", b="long"))
    assert drift == ColumnDrift(added=("plan",), removed=("a", "tier"))
    assert not drift.only_adds
    assert drift.in_words() == 'adds "plan", removes "a", "tier"'


@pytest.mark.edge(58, 70)
def test_another_avro_type_is_told_with_both() -> None:
    drift = compare(
        schema(from_user_id="long", to_user_id="long", time="long"),
        schema(from_user_id="string", to_user_id="long string", time="long"),
    )
    assert drift == ColumnDrift(
        retyped=(
            Retyped("from_user_id", ("long",), ("string",)),
            Retyped("to_user_id", ("long",), ("long", "string")),
        )
    )
    assert not drift.only_adds
    assert drift.in_words() == (
        'changes "from_user_id" from long to string, '
        'changes "to_user_id" from long to long or string'
    )


def test_everything_is_told_in_one_sentence() -> None:
    drift = compare(schema(a="long", b="int"), schema(b="long", c="string"))
    assert drift.in_words() == 'adds "c", removes "a", changes "b" from int to long'


def test_nulls_alone_have_no_type() -> None:
    assert not compare(schema(plan="null"), schema(plan="string"))
    assert not compare(schema(plan="null string"), schema(plan="string"))
    assert not compare(schema(plan="string"), schema(plan="null"))


def test_files_without_a_column_say_nothing_of_its_type() -> None:
    older = RawSchema(("user_id", "plan"), (FileColumn("user_id", ("long",)),))
    assert not compare(older, schema(user_id="long", plan="string"))


def test_a_dump_without_files_has_columns_but_no_types() -> None:
    empty = RawSchema(("user_id", "tier"), None)
    assert compare(schema(user_id="long"), empty) == ColumnDrift(added=("tier",))
    assert compare(empty, schema(user_id="string")) == ColumnDrift(removed=("tier",))


def test_a_type_is_compared_where_only_files_name_the_column() -> None:
    older, newer = (RawSchema((), (FileColumn("extra", (one,)),)) for one in ("long", "string"))
    assert compare(older, newer) == ColumnDrift(retyped=(Retyped("extra", ("long",), ("string",)),))
