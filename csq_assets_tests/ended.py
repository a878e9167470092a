"""`csq`, ended by a signal: one that it sends itself at a point of its work, or one of a terminal's."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from csq_assets_tests.platform import Platform, Ran

CONTROLS = r"\x1b\[[0-9;?]*[A-Za-z]"  # of a terminal

# It sends itself the signal before the n-th import, change of the file system, opening of a lock, or
# event of Dagster's that fits a pattern.
ENDED = """
import itertools, os, re, signal, sys

number, pattern, nth = int(sys.argv[1]), *sys.argv[2:4]
matches = itertools.count(1)

def see(what):
    if re.match(pattern, what) and next(matches) == int(nth):
        os.killpg(0, number)  # as a terminal does

def watch(event, arguments):
    if event == "import":
        see(f"import {arguments[0]}")
    elif event == "os.rename":
        see(f"rename {os.fspath(arguments[1])}")
    elif event == "os.remove":
        see(f"remove {os.fspath(arguments[0])}")
    elif event == "open" and str(arguments[0]).endswith(".lock"):
        see(f"open {arguments[0]}")

def record(instance, entry, **options):
    event = entry.dagster_event
    see(f"record {event.event_type_value} {event.step_key or event.job_name}" if event else "log")
    return handle(instance, entry, **options)

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
sys.addaudithook(watch)
if pattern.startswith("record"):
    import dagster as dg
    handle, dg.DagsterInstance.handle_new_event = dg.DagsterInstance.handle_new_event, record
from csq_assets.__main__ import main
sys.argv = ["csq", *sys.argv[4:]]
main()
"""


def end_at(
    platform: Platform,
    number: signal.Signals,
    what: str,
    nth: int = 1,
    command: tuple[str, ...] = ("sync",),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Ran:
    """What a command says that sends itself the signal before it does this for the n-th time."""
    done = subprocess.run(
        _command(number, what, nth, *command),
        cwd=platform.folder,
        env={**platform.environment(), **variables},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def end_on_terminal(
    platform: Platform,
    number: signal.Signals,
    is_time: Callable[[str], object],
    command: tuple[str, ...] = ("sync",),
) -> Ran:
    """What a command says on a terminal, without colors and what moves the cursor. It gets the signal
    once it is time, which depends on what it has said."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        _command(signal.SIGKILL, "nothing", 1, *command),
        cwd=platform.folder,
        env={**platform.environment(), "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=inside,
    )
    os.close(inside)
    said, is_sent = "", False
    with process:
        try:
            while part := os.read(terminal, 4096).decode(errors="replace"):
                said = re.sub(CONTROLS, "", said + part)
                if not is_sent and is_time(said):
                    process.send_signal(number)
                    is_sent = True
        except OSError:  # nobody is behind the terminal any more
            os.close(terminal)
    return Ran(process.returncode, "", said)


def _command(number: signal.Signals, what: str, nth: int, *arguments: str) -> list[str]:
    return [sys.executable, "-c", ENDED, str(int(number)), what, str(nth), *arguments]
