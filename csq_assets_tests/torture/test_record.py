"""The record of trials, and the part of docs/reliability.md that it writes."""

from datetime import date
from pathlib import Path

import pytest

from csq_assets_tests.torture.record import (
    BEGIN,
    DOCUMENT,
    END,
    Tried,
    keep,
    read_record,
    with_record,
)

KILLS = Tried("Crashes", "first sync", 60, 58, 0, "make torture", date(2026, 3, 1), seed=7)


def test_an_outcome_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    file, document = tmp_path / "results.json", tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    keep([KILLS], file, document)
    found = Tried(
        "Crashes", "first sync", 90, 87, 1, "make torture", date(2026, 3, 2), notes=("why",)
    )
    keep([found], file, document)
    assert read_record(file) == {("Crashes", "first sync"): found}
    assert document.read_text() == "\n".join(
        (
            "before",
            BEGIN,
            "",
            "### Crashes",
            "",
            "| what | tried | landed | differences | seed | on |",
            "|---|---:|---:|---:|---:|---|",
            "| first sync | 90 | 87 | 1 |  | 2026-03-02 |",
            "",
            "- `make torture`",
            "- first sync: why",
            END,
            "after",
            "",
        )
    )


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="torture: begin"):
        with_record("nothing", {})


def test_the_document_shows_the_record() -> None:
    text = DOCUMENT.read_text()
    assert with_record(text, read_record()) == text


def test_no_trial_of_the_record_differed() -> None:
    assert [tried for tried in read_record().values() if tried.differences] == []
