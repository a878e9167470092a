"""`csq`, which is ready for signals before it imports anything that takes time."""

import gc

from csq_assets.signals import SIGNALS

# Importing makes many objects that stay, and Python looks through all of them again and again.
_OBJECTS_BETWEEN_COLLECTIONS = (100_000, 50, 1_000)


def main() -> None:
    """The console script."""
    SIGNALS.watch()
    gc.set_threshold(*_OBJECTS_BETWEEN_COLLECTIONS)
    from csq_assets.cli import main  # noqa: PLC0415

    main()


if __name__ == "__main__":
    main()
