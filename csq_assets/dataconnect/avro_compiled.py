"""The fastest path: rows of ids and texts alone, by a loop that Numba compiles.

Numba is no light package, so it comes with the extra `fast` only; without it, importing this module
raises ImportError. Where rows are not exactly what they should be, this path gives no answer, and
leaves it to the others to say what is wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from csq_assets.dataconnect.arrow_columns import INT64, STRING_VIEW, to_series
from csq_assets.dataconnect.avro_schema import NativeType

_WORD = 8  # bytes; texts are read in words, which may reach beyond the last of them
_MOST_BYTES = 2**31 - 2 * _WORD  # that the view of a text can point into
_NO_NULLS = 255
_NOWHERE = -1
_MORE = 0x80  # of a long, when set in a byte
_LAST_SHIFT = 63  # of the tenth byte of a long, which holds one bit

_INLINE = 12  # bytes of a text that its view holds itself
_PREFIX = 4  # bytes of a longer one
_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
_HIGH_BITS = np.uint64(0x8080808080808080)

# For each first byte of a character: how many bytes follow, none where it is no first byte, and the
# range of the second one, which keeps out what is spelled too long, and what is no character.
_UTF8_LEADS = np.zeros((256, 3), np.uint8)
_UTF8_LEADS[0xC2:0xE0] = 1, 0x80, 0xBF
_UTF8_LEADS[0xE0:0xF0] = 2, 0x80, 0xBF
_UTF8_LEADS[0xF0:0xF5] = 3, 0x80, 0xBF
_UTF8_LEADS[0xE0, 1], _UTF8_LEADS[0xED, 2] = 0xA0, 0x9F
_UTF8_LEADS[0xF0, 1], _UTF8_LEADS[0xF4, 2] = 0x90, 0x8F


def read_compiled(
    types: Sequence[NativeType], row_counts: Sequence[int], blocks: Sequence[memoryview]
) -> pl.DataFrame | None:
    """The rows of some plain blocks, `row_counts` of them in each, or None where they are not that.

    Columns are named by their place: "0", "1", ... Int64 and String; None for other types, too.
    """
    size = sum(len(block) for block in blocks)
    if size > _MOST_BYTES or not all(one.primitive in ("long", "string") for one in types):
        return None
    plain = b"".join((*blocks, bytes(2 * _WORD)))
    words = _words(np.frombuffer(plain, np.uint8))
    out = _Columns(types, sum(row_counts))
    whole = _read_rows(
        (np.frombuffer(plain, np.uint8), words),
        (np.cumsum([len(block) for block in blocks]), np.array(row_counts, np.int64)),
        (out.is_text, out.slots, out.null_branches),
        (out.longs, out.views, out.validity, out.null_counts, out.long_text_bytes),
    )
    return out.frame(words) if whole else None


def _words(data: Any) -> Any:
    """The word that begins at each of the bytes, but for the last ones."""
    return np.ndarray((data.size - _WORD,), np.uint64, data, strides=(1,))


class _Columns:
    """Room for the rows, as Arrow lays columns out: numbers, views of texts, bits of validity."""

    def __init__(self, types: Sequence[NativeType], rows: int) -> None:
        self.rows = rows
        self.is_text = np.array([native.primitive == "string" for native in types])
        self.null_branches = np.array(
            [_NO_NULLS if one.null_branch is None else one.null_branch for one in types], np.uint8
        )
        texts = int(self.is_text.sum())
        # The place of each column among those of its kind.
        self.slots = np.where(self.is_text, self.is_text.cumsum(), (~self.is_text).cumsum()) - 1
        self.longs = np.empty((len(types) - texts, rows), np.int64)
        self.views = np.empty((texts, rows, 2), np.uint64)
        self.validity = np.full((len(types), -(-rows // 8)), 0xFF, np.uint8)
        self.null_counts = np.zeros(len(types), np.int64)
        self.long_text_bytes = np.zeros(texts, np.int64)  # of each column of texts

    def frame(self, words: Any) -> pl.DataFrame:
        """The columns as a frame; `words` is what the views point into."""
        columns: list[pl.Series] = []
        for index, slot in enumerate(self.slots):
            nulls = int(self.null_counts[index])
            bits = self.validity[index] if nulls else None
            if self.is_text[index]:
                texts = self._texts(slot, words)
                column = to_series(STRING_VIEW, self.rows, nulls, (bits, *texts))
            else:
                column = to_series(INT64, self.rows, nulls, (bits, self.longs[slot]))
            columns.append(column.alias(str(index)))
        return pl.DataFrame(columns)

    def _texts(self, slot: int, words: Any) -> tuple[Any, Any, Any]:
        """A column's views, its long texts one behind the other, and their size.

        They are copied, since Polars writes a column faster whose texts lie together.
        """
        size = self.long_text_bytes[slot : slot + 1]
        together = np.empty(size[0] + 2 * _WORD, np.uint8)
        _gather(self.views[slot], words, _words(together))
        return self.views[slot], together, size


@njit(nogil=True, cache=True)
def _read_rows(source: Any, blocks: Any, layout: Any, out: Any) -> bool:  # noqa: C901, PLR0912
    """Whether the blocks hold just these rows; if not, what is in `out` is worth nothing.

    Long, as a call that is given all these arrays costs more than a value.
    """
    data, words = source
    ends, row_counts = blocks
    is_text, slots, null_branches = layout
    longs, views, validity, null_counts, long_text_bytes = out
    at = row = 0
    for block in range(ends.size):
        end = ends[block]
        for _ in range(row_counts[block]):
            for column in range(is_text.size):
                slot = slots[column]
                if null_branches[column] != _NO_NULLS:
                    if at == end or data[at] & 0b1111_1101:
                        return False
                    at += 1
                    if data[at - 1] >> 1 == null_branches[column]:
                        validity[column, row >> 3] ^= 1 << (row & 7)
                        null_counts[column] += 1
                        if is_text[column]:
                            views[slot, row, 0] = views[slot, row, 1] = 0
                        else:
                            longs[slot, row] = 0
                        continue
                number, at = _take_long(data, at, end)
                if at == _NOWHERE:
                    return False
                if not is_text[column]:
                    longs[slot, row] = number
                    continue
                if number < 0 or number > end - at:
                    return False
                first, rest, all_bits = _view(words, at, number)
                if all_bits & _HIGH_BITS and not _is_utf8(data, at, at + number):
                    return False
                views[slot, row, 0] = first
                views[slot, row, 1] = rest
                long_text_bytes[slot] += number if number > _INLINE else 0
                at += number
            row += 1
        if at != end:
            return False
    return True


@njit(nogil=True, inline="always")
def _take_long(data: Any, at: int, end: int) -> Any:
    """A long, and where what follows begins."""
    if at == end:
        return 0, _NOWHERE
    byte = data[at]
    at += 1
    raw, shift = np.uint64(byte & 0x7F), 7
    while byte & _MORE:
        if at == end or shift > _LAST_SHIFT:
            return 0, _NOWHERE
        byte = data[at]
        at += 1
        if shift == _LAST_SHIFT and byte > 1:
            return 0, _NOWHERE
        raw |= np.uint64(byte & 0x7F) << np.uint64(shift)
        shift += 7
    return np.int64(raw >> np.uint64(1)) ^ -np.int64(raw & np.uint64(1)), at


@njit(nogil=True, inline="always")
def _view(words: Any, at: int, size: int) -> Any:
    """The two words of the view of a text, and all the words of the text, one over the other."""
    if size <= _INLINE:
        first = words[at] & _FIRST_BYTES[min(size, _PREFIX)]
        rest = words[at + _PREFIX] & _FIRST_BYTES[max(size - _PREFIX, 0)]
        all_bits = first | rest
    else:
        first = words[at] & _FIRST_BYTES[_PREFIX]
        rest = np.uint64(at) << np.uint64(32)  # of buffer 0
        all_bits = words[at + size - _WORD]
        for place in range(at, at + size - _WORD, _WORD):
            all_bits |= words[place]
    return np.uint64(size) | first << np.uint64(32), rest, all_bits


@njit(nogil=True, cache=True)
def _gather(views: Any, words: Any, together: Any) -> None:
    """Copy the long texts into `together`, and let the views point there."""
    end = 0
    for row in range(views.shape[0]):
        size = np.int64(views[row, 0] & _FIRST_BYTES[_PREFIX])
        if size > _INLINE:
            at = np.int64(views[row, 1] >> np.uint64(32))
            for place in range(0, size, _WORD):
                together[end + place] = words[at + place]
            views[row, 1] = np.uint64(end) << np.uint64(32)
            end += size


@njit(nogil=True, cache=True)
def _is_utf8(data: Any, at: int, end: int) -> bool:
    while at < end:
        lead = data[at]
        at += 1
        if not lead & _MORE:
            continue
        more = _UTF8_LEADS[lead, 0]
        if more == 0 or more > end - at:
            return False
        low, high = _UTF8_LEADS[lead, 1], _UTF8_LEADS[lead, 2]
        for place in range(at, at + more):
            if not low <= data[place] <= high:
                return False
            low, high = np.uint8(0x80), np.uint8(0xBF)  # of those behind it
        at += more
    return True
