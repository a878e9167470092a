"""The check on the types of a current table."""

from csq_assets.dataconnect.check_registry import Measure, Severity, Table, Verdict, check
from csq_assets.dataconnect.current_checks import RowFacts
from csq_assets.dataconnect.wording import count, quoted

WARN = Severity.WARN


@check(
    on="rows",
    severities=(WARN,),
    remedy="Tell those who query the column in csq_typed, or name its type in CSQ_TYPES: what does not "
    "fit is null there, and stays as text in csq: look there at rows of the dump, by _dump_id. "
    "Correct pins that nothing fits, or no column has.",
)
def type_widened(facts: RowFacts) -> Verdict:
    """The newest dumps leave every column of csq_typed its type, every value fits a type that CSQ_TYPES
    names, and the table has the columns that it names.
    """
    types = facts.types
    metadata: dict[str, Measure] = {
        "widened": tuple(one.column for one in types.widened),
        "widened_count": len(types.widened),
        "unfit": tuple(types.unfit),
        "unfit_count": sum(values for _, values in types.unfit.values()),
        "absent": types.absent,
    }
    said = [
        f'dump {one.since_dump} makes "{one.column}" {one.after}, it was {one.before}'
        for one in types.widened
    ]
    said += [
        f'{count(values, "value", "values")} of "{column}" {"is" if values == 1 else "are"} no {kind}'
        for column, (kind, values) in types.unfit.items()
    ]
    if types.absent:
        said.append(f"CSQ_TYPES names {quoted(types.absent)}, which the table does not have")
    if types.widened:
        rows = tuple(
            (one.column, one.before.value, one.after.value, str(one.since_dump))
            for one in types.widened
        )
        metadata["types"] = Table(("column", "before", "now", "dump"), rows)
    if said:
        return Verdict(False, WARN, "; ".join(said), metadata)
    return Verdict(True, WARN, "every column has the type that it had", metadata)
