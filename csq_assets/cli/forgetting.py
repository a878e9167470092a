"""The command that forgets users."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from csq_assets.cli.options import json_text, read_settings
from csq_assets.errors import SettingsError, StorageError, UsageError
from csq_assets.signals import SIGNALS

if TYPE_CHECKING:
    from csq_assets.dataconnect.certificate import Certificate


@click.command(context_settings={"ignore_unknown_options": True})  # an id may be negative
@click.argument("users", nargs=-1, metavar="[USER_ID]...")
@click.option(
    "--from",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="More ids, one a line; what begins with # is a comment.",
)
@click.option("--yes", is_flag=True, help="Do not ask. It cannot be undone.")
@click.option(
    "--certificate",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the certificate, instead of stdout.",
)
def forget(
    *, users: tuple[str, ...], file: Path | None, yes: bool, certificate: Path | None
) -> None:
    """Take users out of the lake, the current tables and the snapshot, for good, with every id that is
    the same user. Without an id: finish what was interrupted, and search again.

    The certificate is JSON: what was removed where, and what a second search found.

    \b
    Exit codes: 0 nothing is left
                1 something is left; the certificate says what to do
                2 wrong usage or settings
                130 interrupted, 143 terminated (SIGTERM)
    """
    from csq_assets.console.forgetting import show_certificate
    from csq_assets.console.progress import SyncProgress
    from csq_assets.instance import open_instance, recording

    ids = [*map(_id, users), *(_read_ids(file) if file else ())]
    settings = read_settings()
    if certificate is not None:
        _refuse_unwritable(certificate)
    with open_instance() as instance:
        from csq_assets.forgetting import close_ids, run_forget

        closed = close_ids(settings, ids)
        if ids and not yes:
            _ask(ids, closed)
        with SIGNALS.unwinding(), recording(), SyncProgress() as progress:
            done = run_forget(settings, instance, progress, closed)
    _write(done, certificate)
    show_certificate(done, certificate)
    sys.exit(0 if done.is_complete else 1)


def _id(text: str, **where: str | int) -> int:
    if re.fullmatch("-?[0-9]+", text) is None or not -(2**63) <= int(text) < 2**63:
        raise UsageError(
            f'"{text}" is not the id of a user', where=where, remedy="Give 64-bit integers."
        )
    return int(text)


def _read_ids(file: Path) -> Iterator[int]:
    try:
        lines = file.read_text("utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    texts = [line.partition("#")[0].strip() for line in lines]
    if not any(texts):
        raise UsageError(f"{file} has no id", remedy="Give one id a line.")
    for number, text in enumerate(texts, 1):
        if text:
            yield _id(text, file=str(file), line=number)


def _ask(ids: Sequence[int], closed: frozenset[int]) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked here", remedy="Add --yes if the users are to be forgotten."
        )
    others = len(closed) - len(set(ids))
    more = f", and {others} more that are the same users" if others else ""
    if not click.confirm(f"Forget {len(set(ids))} named{more}? This cannot be undone.", err=True):
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)


def _refuse_unwritable(file: Path) -> None:
    """Before anything is done, rather than after it."""
    if not os.access(file.parent, os.W_OK):
        raise SettingsError(
            f"{file.parent} cannot be written", remedy="Name another --certificate."
        )


def _write(done: "Certificate", file: Path | None) -> None:
    text = json_text({**asdict(done), "complete": done.is_complete})
    if file is None:
        click.echo(text)
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(f"{text}\n", encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        click.echo(text)  # nothing could say again what was removed from where
        raise StorageError(
            f"{file} cannot be written: {error.strerror}",
            remedy="The certificate is on stdout instead: keep it.",
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
