"""The checks on a partition: one table of one dump."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from csq_assets.dataconnect.check_registry import Measure, Severity, Table, Verdict, check
from csq_assets.dataconnect.drift import ColumnDrift
from csq_assets.dataconnect.raw_schema import ReplacedTexts
from csq_assets.dataconnect.wording import count

WARN, ERROR = Severity.WARN, Severity.ERROR


@dataclass(frozen=True, slots=True)
class RawFacts:
    """One partition. `previous_dump_id` is None for the first dump of a table."""

    dump_id: int
    previous_dump_id: int | None
    drift: ColumnDrift
    files: int
    lacking: Mapping[str, int]  # the manifest's columns that files lack, with their number
    extra: Mapping[str, int]  # columns that the manifest does not list, with the number of files
    respelled: Mapping[str, Sequence[tuple[str, int]]]  # in files, by the manifest's spelling
    nulls: Mapping[str, int]  # by key column, those with any
    rows: int
    replaced: ReplacedTexts | None = None


@check(
    on="raw",
    severities=(WARN, ERROR),
    remedy="Tell those who query the columns. A removed column leaves the current table, and "
    "its values stay in the lake.",
)
def column_drift(facts: RawFacts) -> Verdict:
    """The columns equal those of the numerically previous dump. Only additions: WARN. A removal, or
    another Avro type: ERROR. Order and nullability do not count.
    """
    if facts.previous_dump_id is None:
        return Verdict(True, WARN, f"dump {facts.dump_id} is the first of this table")
    drift = facts.drift
    changes = (
        *((name, "", "added") for name in drift.added),
        *((name, "removed", "") for name in drift.removed),
        *((one.column, " or ".join(one.before), " or ".join(one.after)) for one in drift.retyped),
    )
    metadata: dict[str, Measure] = {
        "compared_with_dump": facts.previous_dump_id,
        "added": drift.added,
        "removed": drift.removed,
        "retyped": tuple(one.column for one in drift.retyped),
        "added_count": len(drift.added),
        "removed_count": len(drift.removed),
        "retyped_count": len(drift.retyped),
        **({"changes": Table(("column", "before", "now"), changes)} if changes else {}),
    }
    if not drift:
        return Verdict(True, WARN, f"same columns as dump {facts.previous_dump_id}", metadata)
    severity = WARN if drift.only_adds else ERROR
    return Verdict(False, severity, f"dump {facts.dump_id} {drift.in_words()}", metadata)


@check(
    on="raw",
    severities=(WARN,),
    remedy="Ask Contentsquare which is right. A column that a file lacks is null there; one "
    "that the manifest does not list is in the raw table only.",
)
def columns_match_manifest(facts: RawFacts) -> Verdict:
    """Each file has the columns that the manifest lists, and no others."""

    def of_files(number: int) -> str:
        return f"in {number:,} of {count(facts.files, 'file', 'files')}"

    said = [
        *(f'"{column}" is missing {of_files(count)}' for column, count in facts.lacking.items()),
        *(f'"{column}" is not listed, {of_files(count)}' for column, count in facts.extra.items()),
        *(
            f'"{column}" is spelled "{spelling}" {of_files(count)}'
            for column, spellings in facts.respelled.items()
            for spelling, count in spellings
        ),
    ]
    metadata: dict[str, Measure] = {
        "files": facts.files,
        "lacking": tuple(facts.lacking),
        "extra": tuple(facts.extra),
        "respelled": tuple(facts.respelled),
    }
    if said:
        return Verdict(False, WARN, f"dump {facts.dump_id}: {'; '.join(said)}", metadata)
    return Verdict(True, WARN, "files and manifest agree", metadata)


@check(
    on="raw",
    severities=(WARN,),
    remedy="Correct the text where it is captured. Its rows are kept, with U+FFFD for what "
    "cannot be read.",
)
def text_valid(facts: RawFacts) -> Verdict:
    """All text is UTF-8."""
    replaced = facts.replaced
    if replaced is None:
        return Verdict(True, WARN, "all text is UTF-8", {"replaced": 0})
    sequences = count(replaced.sequences, "sequence", "sequences")
    files = count(replaced.files, "file", "files")
    first = f"first in {replaced.file}, row {replaced.row}"
    said = f"{sequences} that are not UTF-8, replaced by U+FFFD in {files}; {first}"
    return Verdict(False, WARN, said, {"replaced": replaced.sequences, "files": replaced.files})


@check(
    on="raw",
    severities=(WARN,),
    remedy="Ask Contentsquare why keys are empty. Such rows are all kept, so they may be "
    "counted twice.",
)
def keys_not_null(facts: RawFacts) -> Verdict:
    """No key column holds a null."""
    metadata: dict[str, Measure] = {
        "rows": facts.rows,
        **{f"nulls_{column}": count for column, count in facts.nulls.items()},
    }
    if facts.nulls:
        said = ", ".join(f"{column} is null in {count:,}" for column, count in facts.nulls.items())
        return Verdict(False, WARN, f"{said} of {facts.rows:,} rows", metadata)
    return Verdict(True, WARN, f"no null in the key of {facts.rows:,} rows", metadata)
