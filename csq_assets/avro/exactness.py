"""Proves that decoded values are exactly what their bytes say.

The native reader accepts more than Avro allows: integers beyond 64 bits, padded integers, union
branches that do not exist, booleans of any byte, rows that run over the end of their block. But each
value has one canonical size, and no reader takes fewer bytes for it. If the sizes add up to the size
of each block, every value took exactly its own bytes, and its place is known. So those bytes that the
reader interprets loosely can be compared with what they must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import nanoarrow
import polars as pl

from csq_assets.avro.type_readers import LONGEST_LONG, NativeType

_FIXED_SIZES = {"boolean": 1, "float": 4, "double": 8}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Columns of one type, one after the other: queries on each alone would cost more than their work.

    `places` are those of the columns in the file.
    """

    kind: NativeType
    is_id: bool
    places: Sequence[int]
    values: pl.Series  # texts as Binary


def in_file_order(groups: Sequence[Group], series: Sequence[pl.Series]) -> list[pl.Series]:
    """The columns in `series`, which has one for each group."""
    columns: dict[int, pl.Series] = {}
    for group, joined in zip(groups, series, strict=True):
        rows = len(joined) // len(group.places)
        columns |= {place: joined.slice(at * rows, rows) for at, place in enumerate(group.places)}
    return [columns[place] for place in range(len(columns))]


def is_exact(
    groups: Sequence[Group], container: bytes, start: int, ends: Sequence[tuple[int, int]]
) -> bool:
    """Whether the columns hold exactly the values in `container` from `start`.

    `ends` says how many rows, and how many bytes from `start` on, end with each block.
    """
    sizes = [
        group.values.to_frame("value").select(_size(group.kind)).to_series() for group in groups
    ]
    offset = pl.repeat(0, ends[-1][0] if ends else 0, dtype=pl.UInt32, eager=True)
    offsets: list[pl.Series] = []  # of each column, in the rows
    for column in in_file_order(groups, sizes):
        offsets.append(offset)
        offset = offset + column
    row_ends = pl.Series([0], dtype=pl.UInt32).append(offset.cum_sum())
    if row_ends[[row for row, _ in ends]].to_list() != [size for _, size in ends]:
        return False
    # Without a copy, which would cost as much as the rest.
    data = pl.Series(
        nanoarrow.c_array_from_buffers(nanoarrow.uint8(), len(container), [None, container])
    )
    row_starts = row_ends[:-1] + start
    return all(
        _has_right_bytes(
            group,
            size,
            data,
            pl.concat([offsets[place] for place in group.places], rechunk=True)
            + pl.concat([row_starts] * len(group.places), rechunk=True),
        )
        for group, size in zip(groups, sizes, strict=True)
    )


def _has_right_bytes(group: Group, sizes: pl.Series, data: pl.Series, at: pl.Series) -> bool:
    """Whether those bytes that Polars interprets loosely are what the values `at` them say."""
    kind, values = group.kind, group.values
    if kind.is_nullable:
        is_second = values.is_null() if kind.null_branch == 1 else values.is_not_null()
        if not (data[at] == is_second.cast(pl.UInt8) * 2).all():
            return False
        at = at + 1
    if kind.primitive == "boolean":
        return (data[at.filter(values.is_not_null())] <= 1).all()
    if kind.primitive == "long":
        longest = sizes == LONGEST_LONG + kind.is_nullable
        return (data[at.filter(longest) + (LONGEST_LONG - 1)] <= 1).all()
    return True


def _size(kind: NativeType) -> pl.Expr:
    """The canonical size of each value in bytes, with that of its union branch: UInt32."""
    value = pl.col("value")
    if kind.primitive == "long":
        zeros = pl.max_horizontal(value, -1 - value).cast(pl.UInt64).bitwise_leading_zeros()
        size = _bytes_for(64 - zeros)
    elif kind.primitive == "string":
        length = value.bin.size()
        size = length + _bytes_for(32 - length.bitwise_leading_zeros())
    else:
        size = value.is_not_null().cast(pl.UInt32) * _FIXED_SIZES[kind.primitive]
    return (size.fill_null(0) + int(kind.is_nullable)).cast(pl.UInt32)


def _bytes_for(bits: pl.Expr) -> pl.Expr:
    """The bytes of an integer of so many bits and a sign: seven bits each, at least one byte."""
    return (bits + 7) // 7
