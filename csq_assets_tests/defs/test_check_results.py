"""What the UI shows of a finding."""

from csq_assets.dataconnect.check_registry import Finding, Severity, Table
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.defs.check_results import evaluations
from csq_assets_tests.platform import KEYS


def test_a_failure_shows_its_table_and_what_to_do_and_names_are_no_markup() -> None:
    changes = Table(("column", "before", "now"), (("a|b<i>\n*c*", "text", ""),))
    finding = Finding(
        "column_drift",
        passed=False,
        severity=Severity.WARN,
        description="adds",
        metadata={"changes": changes},
    )
    (evaluation,) = evaluations([finding], KEYS.raw("users"), "12")
    assert evaluation.metadata["what_to_do"].value == (
        "| column | before | now |\n| --- | --- | --- |\n| a\\|b\\<i\\>\\\\n\\*c\\* | text |  |"
        f"\n\n{REGISTRY['column_drift'].remedy}"
    )


def test_a_check_that_passes_gives_no_advice() -> None:
    finding = Finding(
        "column_drift",
        passed=True,
        severity=Severity.WARN,
        description="the same columns",
        metadata={"added_count": 0},
    )
    (evaluation,) = evaluations([finding], KEYS.raw("users"), "12")
    assert list(evaluation.metadata) == ["added_count"]
