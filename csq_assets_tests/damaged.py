"""Damage that only shows when rows are read."""

from pathlib import Path

_ZSTD = b"\x28\xb5\x2f\xfd"  # what each page begins with


def damage_first_page(file: Path) -> None:
    """Flip one bit in the first page of a Parquet file; its footer stays as it was."""
    body = bytearray(file.read_bytes())
    body[body.index(_ZSTD)] ^= 1
    file.write_bytes(body)
