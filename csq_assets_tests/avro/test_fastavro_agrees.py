"""The complete path against fastavro's reader, an implementation that shares nothing with it."""

import base64
import io
import json
from itertools import count
from typing import Any

import fastavro
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csq_assets.avro.batch import Batch
from csq_assets.avro.complete import read_complete
from csq_assets.avro.container import Container
from csq_assets.avro.decode import unpack
from csq_assets.avro.schema import parse_schema
from csq_assets_tests.avro_files import encode_avro

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "bytes": st.binary(max_size=5),
}
Typed = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def types(draw: st.DrawFn, names: Any, depth: int = 2) -> Typed:
    """A type, and what its values are."""
    kinds = ["primitive", "enum", "fixed"]
    if depth:
        kinds += ["array", "map", "union", "record"]
    kind = draw(st.sampled_from(kinds))
    if kind == "primitive":
        return draw(st.sampled_from(list(PRIMITIVES.items())))
    name = f"n{next(names)}"
    if kind == "enum":
        return {"type": "enum", "name": name, "symbols": ["A", "B"]}, st.sampled_from(["A", "B"])
    if kind == "fixed":
        return {"type": "fixed", "name": name, "size": 3}, st.binary(min_size=3, max_size=3)
    if kind == "union":  # of what Python tells apart, so that the writer's choice is the only one
        branches = draw(st.lists(st.sampled_from(["null", "long", "string"]), unique=True))
        branches = branches or ["null"]
        return branches, st.one_of([PRIMITIVES[branch] for branch in branches])
    inner, values = draw(types(names, depth - 1))
    if kind == "array":
        return {"type": "array", "items": inner}, st.lists(values, max_size=3)
    if kind == "map":
        keys = st.text(st.characters(codec="utf-8"), max_size=3)
        return {"type": "map", "values": inner}, st.dictionaries(keys, values, max_size=3)
    fields = [{"name": "f", "type": inner}]
    return {"type": "record", "name": name, "fields": fields}, st.fixed_dictionaries({"f": values})


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The schema of a file with one to three columns, and some rows."""
    names = count()
    typed = [draw(types(names)) for _ in range(draw(st.integers(1, 3)))]
    fields = [{"name": f"c{index}", "type": declared} for index, (declared, _) in enumerate(typed)]
    rows = st.fixed_dictionaries({f"c{index}": values for index, (_, values) in enumerate(typed)})
    schema = {"type": "record", "name": "row", "fields": fields}
    return schema, draw(st.lists(rows, min_size=1, max_size=4))


def as_text(value: Any) -> str | None:
    """The text of a value that fastavro read."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return of_bytes(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=of_bytes)


def of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_every_value_is_what_fastavro_reads(
    file: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    schema, rows = file
    body = encode_avro(rows, schema)
    container = Container(io.BytesIO(body))
    batch = Batch(parse_schema(container.schema))
    for block in container.blocks():
        batch.add("a", block)
    expected = [
        {name: as_text(value) for name, value in row.items()}
        for row in fastavro.reader(io.BytesIO(body))
        if isinstance(row, dict)
    ]
    (decoded,) = read_complete(batch, unpack(batch), ())
    assert decoded.frame.to_dicts() == expected
