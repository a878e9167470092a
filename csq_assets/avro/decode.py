"""Rows of Avro files as frames of ids and texts. Two reading paths, one result.

The native path reads flat rows of primitives. The complete path reads everything else, and decides
about rows that the native path rejects: it says which row of which file is damaged.
"""

from collections.abc import Collection, Iterator
from itertools import chain

from csq_assets.avro.batch import MOST_CELLS, Batch, Decoded
from csq_assets.avro.codecs import MAX_BLOCK_BYTES, Plain, TooLargeError
from csq_assets.avro.complete import damaged, read_complete
from csq_assets.avro.native import read_native
from csq_assets.avro.type_readers import CorruptValueError, refuse_absurd_count
from csq_assets.errors import located

_LARGE_BYTES = 32 * 1024 * 1024  # what is larger is decoded part by part
# Below, starting the native reader costs more than it saves.
_NATIVE_CELLS = 1_000


def decode(batch: Batch, ids: Collection[str]) -> list[Decoded] | Iterator[Decoded]:
    """The rows of a batch, columns in file order: those named in `ids` Int64, the others String.

    A large batch, or one whose values are large, is an iterator, which decodes while it is taken.
    Raises FileError where a block is damaged, IdentifierError where a value in an id column is not
    a 64-bit integer; both name the file, and the row where it is known.
    Source: contract.md, "Raw tables"; export-format.md, edge cases 24 to 34.
    """
    if batch.cells > MOST_CELLS:
        return _decode_large(batch, ids)
    try:
        plains = unpack(batch, _LARGE_BYTES)
    except TooLargeError:
        return _decode_large(batch, ids)
    if batch.cells >= _NATIVE_CELLS and (decoded := read_native(batch, plains, ids)):
        return [decoded]
    parts = read_complete(batch, plains, ids)
    first = next(parts)
    second = next(parts, None)
    return [first] if second is None else chain((first, second), parts)


def unpack(batch: Batch, limit: int = MAX_BLOCK_BYTES) -> list[Plain]:
    """The batch's blocks, unpacked to at most `limit` bytes in all.

    Raises TooLargeError where there are more, FileError where a block is damaged.
    """
    plains: list[Plain] = []
    for file, block in batch.blocks:
        with located(file=file):
            plain = block.unpack(limit)
            try:
                refuse_absurd_count(block.rows, batch.schema.least_bytes, len(plain.data))
            except CorruptValueError as error:
                raise damaged(error).at(row=block.first_row) from None
        plains.append(plain)
        limit -= len(plain.data)
    return plains


def _decode_large(batch: Batch, ids: Collection[str]) -> Iterator[Decoded]:
    for file, block in batch.blocks:
        alone = Batch(batch.schema)
        alone.add(file, block)
        yield from read_complete(alone, unpack(alone), ids)
