"""Two tables whose names differ for Dagster, and not in a catalog of lower case."""

import pytest

from csq_assets.errors import NameClashError
from csq_assets.spark.names import refuse_clash

TABLES = ["users", "a_b", "A-b"]


@pytest.mark.parametrize(
    ("applied", "refused", "owner"),
    [([], "a_b", "A-b"), (["a_b"], "A-b", "a_b"), (["users", "A-b"], "a_b", "A-b")],
)
def test_one_of_two_tables_has_the_name(applied: list[str], refused: str, owner: str) -> None:
    for table in TABLES:
        if table != refused:
            refuse_clash(table, TABLES, applied)
    with pytest.raises(NameClashError, match=f'has the name of the table "{owner}"') as error:
        refuse_clash(refused, TABLES, applied)
    assert error.value.where == {"table": refused}
