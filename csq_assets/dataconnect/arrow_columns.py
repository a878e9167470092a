"""Columns in memory, handed to Polars as they lie, by the Arrow C data interface.

The structures and their order are those of the Arrow specification, "The Arrow C data interface".
"""

import ctypes
from collections.abc import Sequence
from itertools import count
from typing import Any

import polars as pl

INT64, STRING_VIEW = b"l", b"vu"  # formats
_NULLABLE = 2


def to_series(format_: bytes, length: int, null_count: int, buffers: Sequence[Any]) -> pl.Series:
    """A column of `length` values whose buffers lie in NumPy arrays, None for no validity bitmap.

    Nothing is copied: the arrays live as long as Polars needs them, and must not be changed any more.
    """
    return pl.Series(_Exported(format_, length, null_count, buffers))


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


_ReleaseSchema = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))
_ReleaseArray = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))

_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", _ReleaseSchema),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", _ReleaseArray),
    ("private_data", ctypes.c_void_p),
]

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

# What Polars still reads, by a number that travels with the structure, until it is released.
_lent: dict[int, Any] = {}
_numbers = count(1)


@_ReleaseSchema
def _release_schema(schema: Any) -> None:
    schema.contents.release = _ReleaseSchema()


@_ReleaseArray
def _release_array(array: Any) -> None:
    _lent.pop(array.contents.private_data, None)
    array.contents.release = _ReleaseArray()


class _Exported:
    """What `pl.Series` takes once; the structures are moved out of it then."""

    def __init__(
        self, format_: bytes, length: int, null_count: int, buffers: Sequence[Any]
    ) -> None:
        number = next(_numbers)
        places = [None if buffer is None else buffer.ctypes.data for buffer in buffers]
        pointers = (ctypes.c_void_p * len(places))(*places)
        self._schema = _Schema(format_, b"", None, _NULLABLE, 0, None, None, _release_schema, None)
        self._array = _Array(
            *(length, null_count, 0, len(places), 0, pointers, None, None, _release_array, number)
        )
        _lent[number] = (buffers, pointers)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        del requested_schema
        return (
            _new_capsule(ctypes.addressof(self._schema), b"arrow_schema", None),
            _new_capsule(ctypes.addressof(self._array), b"arrow_array", None),
        )
