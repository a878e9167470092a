"""Root may do everything: what lacks a right is tried as somebody else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Where this process is root's, it is nobody's inside."""
    user = os.geteuid()
    os.seteuid(_NOBODY if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)
