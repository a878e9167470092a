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
    columns: Sequence[pl.Series],
    types: Sequence[NativeType],
    container: bytes,
    start: int,
    ends: Sequence[tuple[int, int]],
) -> bool:
    """Whether the columns, with texts as Binary, hold exactly the values in `container` from `start`.

    `ends` says how many rows, and how many bytes from `start` on, end with each block.
    """
    groups = {kind: _Group(kind, columns, types) for kind in dict.fromkeys(types)}
    rows = len(columns[0])
    offset = pl.repeat(0, rows, dtype=pl.UInt32, eager=True)
    for kind in types:
        offset = groups[kind].place_next(offset)
    row_ends = pl.Series([0], dtype=pl.UInt32).append(offset.cum_sum())
    if row_ends[[row for row, _ in ends]].to_list() != [size for _, size in ends]:
        return False
    data = pl.Series([container]).cast(pl.List(pl.UInt8)).explode()
    row_starts = row_ends[:-1] + start
    return all(group.has_right_bytes(data, row_starts) for group in groups.values())


class _Group:
    """The columns of one type, concatenated: queries on each alone would cost more than their work."""

    def __init__(
        self, kind: NativeType, columns: Sequence[pl.Series], types: Sequence[NativeType]
    ) -> None:
        alike = [column for column, other in zip(columns, types, strict=True) if other == kind]
        self._kind = kind
        self._rows = len(columns[0])
        self._values = pl.concat([column.alias("value") for column in alike])
        self._sizes = self._values.to_frame().select(_size(kind)).to_series()
        self._offsets: list[pl.Series] = []  # in the row, by column

    def place_next(self, offset: pl.Series) -> pl.Series:
        """The next column begins at this offset in each row; where it ends."""
        place = len(self._offsets) * self._rows
        self._offsets.append(offset)
        return offset + self._sizes.slice(place, self._rows)

    def has_right_bytes(self, data: pl.Series, row_starts: pl.Series) -> bool:
        """Whether those bytes that Polars interprets loosely are what the values say."""
        kind, values = self._kind, self._values
        at = pl.concat(self._offsets) + pl.concat([row_starts] * len(self._offsets))
        if kind.is_nullable:
            is_second = values.is_null() if kind.null_branch == 1 else values.is_not_null()
            if not (data[at] == is_second.cast(pl.UInt8) * 2).all():
                return False
            at = at + 1
        if kind.primitive == "boolean":
            return (data[at.filter(values.is_not_null())] <= 1).all()
        if kind.primitive == "long":
            longest = self._sizes == _LONGEST_INTEGER + kind.is_nullable
            return (data[at.filter(longest) + (_LONGEST_INTEGER - 1)] <= 1).all()
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
