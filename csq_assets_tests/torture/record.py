"""What was tried: kept in results.json, and written into docs/reliability.md.

A trial writes one `Tried`; whoever writes it again replaces it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

RECORDS = Path(__file__).with_name("results.json")
DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"


@dataclass(frozen=True, slots=True)
class Tried:
    """The outcome of a trial.

    `part` is the heading that it stands under, and `name` its row, unique within the part. `tried`
    counts what was attempted, `landed` what of it hit work in progress, and `differences` what
    ended otherwise than promised. `seed` is None where nothing is drawn. `command` repeats it.
    """

    part: str
    name: str
    tried: int
    landed: int
    differences: int
    command: str
    day: date
    seed: int | None = None
    notes: tuple[str, ...] = ()


_TRIED = TypeAdapter(list[Tried])


def read_record(file: Path = RECORDS) -> dict[tuple[str, str], Tried]:
    """By part and name; none where there is no such file."""
    known = _TRIED.validate_json(file.read_bytes()) if file.is_file() else []
    return {(tried.part, tried.name): tried for tried in known}


def keep(found: Iterable[Tried], file: Path = RECORDS, document: Path = DOCUMENT) -> None:
    """Put outcomes into the record and into the document, in the place of what is there of them."""
    known = {**read_record(file), **{(tried.part, tried.name): tried for tried in found}}
    file.write_bytes(_TRIED.dump_json(list(known.values()), indent=1) + b"\n")
    document.write_text(with_record(document.read_text(), known))


def with_record(text: str, record: Mapping[tuple[str, str], Tried]) -> str:
    """The document with everything between its markers rewritten.

    Raises ValueError where it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{_tables(record.values())}\n{END}{after}"


def _tables(record: Iterable[Tried]) -> str:
    """A section for each part, in Markdown."""
    parts: dict[str, list[Tried]] = {}
    for tried in record:
        parts.setdefault(tried.part, []).append(tried)
    return "\n".join(line for part, rows in parts.items() for line in _section(part, rows))


def _section(part: str, rows: Iterable[Tried]) -> Iterable[str]:
    rows = list(rows)
    yield from ("", f"### {part}", "")
    yield "| what | tried | landed | differences | seed | on |"
    yield "|---|---:|---:|---:|---:|---|"
    for tried in rows:
        seed = "" if tried.seed is None else tried.seed
        counts = f"{tried.tried:,} | {tried.landed:,} | {tried.differences:,} | {seed}"
        yield f"| {_cell(tried.name)} | {counts} | {tried.day} |"
    yield ""
    for command in dict.fromkeys(tried.command for tried in rows):
        yield f"- `{command}`"
    for tried in rows:
        for note in tried.notes:
            yield f"- {tried.name}: {note}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
