"""`csq`, which is ready for signals before it imports anything that takes time."""

from csq_assets.signals import SIGNALS


def main() -> None:
    """The console script."""
    SIGNALS.watch()
    from csq_assets.cli import main  # noqa: PLC0415

    main()


if __name__ == "__main__":
    main()
