"""The relations that the steps of a refresh hand to one another are those that are declared."""

import re
from pathlib import Path

import pytest

from csq_assets import warehouse
from csq_assets.warehouse.scratch import IDENTITY_SCRATCH, TABLE_SCRATCH, Scratch, scratch
from csq_assets_tests.warehouse.deliveries import Platform

MODULES = {path.stem: path.read_text("utf-8") for path in Path(warehouse.__path__[0]).glob("*.py")}
DECLARED = (*TABLE_SCRATCH, *IDENTITY_SCRATCH)


def modules_that(verbs: str, name: str) -> set[str]:
    """The modules in whose SQL the relation's name follows one of the verbs."""
    said = re.compile(rf"\b(?:{verbs})[ \"]{{1,2}}{name}\b")
    return {module for module, text in MODULES.items() if said.search(text)} - {"scratch"}


@pytest.mark.parametrize("relation", DECLARED, ids=lambda relation: relation.name)
def test_makers_and_readers_are_those_that_are_declared(relation: Scratch) -> None:
    assert modules_that("INTO|insert_rows.connection,", relation.name) == {relation.made_by}
    assert modules_that("FROM|JOIN", relation.name) == set(relation.read_by)


def test_scratch_is_empty_at_first_and_gone_afterwards(platform: Platform) -> None:
    tables = "SELECT table_name, estimated_size FROM duckdb_tables() WHERE temporary ORDER BY ALL"
    with scratch(platform.connection, DECLARED):
        made = sorted((relation.name, 0) for relation in DECLARED)
        assert platform.connection.execute(tables).fetchall() == made
    assert platform.connection.execute(tables).fetchall() == []
