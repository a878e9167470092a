"""Who reads the rows of plain and nullable primitives: Polars, or the compiled reader once it pays."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

import polars as pl

from csq_assets.dataconnect.avro_native import read_native
from csq_assets.dataconnect.avro_schema import NativeType

# Loading the compiled reader takes as long as Polars takes for about so many plain bytes.
_COMPILED_FROM_BYTES = 512 * 1024 * 1024


class NativeReader:
    """Reads with Polars, until it has read so much that more may be expected."""

    def __init__(self, compiled_from_bytes: int = _COMPILED_FROM_BYTES) -> None:
        self._compiled_from_bytes = compiled_from_bytes
        self._bytes_read = 0  # about: threads may count at the same time

    def read(
        self, types: Sequence[NativeType], row_counts: Sequence[int], blocks: Sequence[memoryview]
    ) -> pl.DataFrame | None:
        """The rows of some plain blocks, `row_counts` of them in each, or None where they are not that.

        Columns are named by their place: "0", "1", ... Int64, Float32, Float64, Boolean, String.
        """
        frame = None
        if self._bytes_read >= self._compiled_from_bytes and (read_compiled := compiled_reader()):
            frame = read_compiled(types, row_counts, blocks)
        if frame is None:
            frame = read_native(types, sum(row_counts), blocks)
        self._bytes_read += sum(len(block) for block in blocks)
        return frame


@cache
def compiled_reader() -> Callable[..., pl.DataFrame | None] | None:
    """`avro_compiled.read_compiled` where the extra `fast` is installed, else None."""
    try:
        return import_module("csq_assets.dataconnect.avro_compiled").read_compiled
    except (ImportError, RuntimeError):  # the latter where Numba finds no folder for its cache
        return None
