"""Proves that decoded values are exactly what their bytes say.

The native reader accepts more than Avro allows: integers beyond 64 bits, padded integers, union
branches that do not exist, booleans of any byte, rows that run over the end of their block. But each
value has one canonical size, and no reader takes fewer bytes for it. If the sizes add up to the size
of each block, every value took exactly its own bytes, and its place is known. So those bytes that the
reader interprets loosely can be compared with what they must be.
"""

from collections.abc import Sequence

import polars as pl

from csq_assets.avro.schema import NativeType

_FIXED_SIZES = {"boolean": 1, "float": 4, "double": 8}
_LONGEST_INTEGER = 10  # bytes, of which the last holds one bit


def is_exact(
    frame: pl.DataFrame,
    types: Sequence[NativeType],
    container: bytes,
    start: int,
    ends: Sequence[tuple[int, int]],
) -> bool:
    """Whether `frame`, with texts as Binary, holds exactly the values in `container` from `start` on.

    `ends` says how many rows, and how many bytes from `start` on, end with each block.
    """
    named = list(zip(frame.columns, types, strict=True))
    # A query for all columns: one for each would cost more than its work.
    facts = frame.select(
        *(_size(pl.col(name), kind).alias(f"{name} size") for name, kind in named),
        *(_branch(pl.col(name), kind).alias(f"{name} branch") for name, kind in named),
    ).get_columns()
    sizes, branches = facts[: len(types)], facts[len(types) :]
    row_sizes = sum(sizes[1:], start=sizes[0]) + sum(kind.is_nullable for kind in types)
    row_ends = pl.Series([0], dtype=pl.UInt32).append(row_sizes.cum_sum())
    if row_ends[[row for row, _ in ends]].to_list() != [size for _, size in ends]:
        return False
    data = pl.Series([container]).cast(pl.List(pl.UInt8)).explode()
    at = row_ends[:-1] + start
    for kind, size, branch in zip(types, sizes, branches, strict=True):
        if kind.is_nullable:
            if not (data[at] == branch).all():
                return False
            at = at + 1
        if kind.primitive == "boolean" and (data[at.filter(size > 0)] > 1).any():
            return False
        if kind.primitive == "long":
            last = at.filter(size == _LONGEST_INTEGER) + (_LONGEST_INTEGER - 1)
            if (data[last] > 1).any():
                return False
        at = at + size
    return True


def _branch(column: pl.Expr, kind: NativeType) -> pl.Expr:
    """The byte of each value's union branch, as it must be: UInt8."""
    second = column.is_null() if kind.null_branch == 1 else column.is_not_null()
    return second.cast(pl.UInt8) * 2


def _size(column: pl.Expr, kind: NativeType) -> pl.Expr:
    """The canonical size of each value in bytes, without its union branch; 0 for null. UInt32."""
    if kind.primitive == "long":
        zeros = pl.max_horizontal(column, -1 - column).cast(pl.UInt64).bitwise_leading_zeros()
        size = _bytes_for(64 - zeros)
    elif kind.primitive == "string":
        length = column.bin.size()
        size = length + _bytes_for(32 - length.bitwise_leading_zeros())
    else:
        size = column.is_not_null().cast(pl.UInt32) * _FIXED_SIZES[kind.primitive]
    return size.fill_null(0).cast(pl.UInt32)


def _bytes_for(bits: pl.Expr) -> pl.Expr:
    """The bytes of an integer of so many bits and a sign: seven bits each, at least one byte."""
    return (bits + 7) // 7
