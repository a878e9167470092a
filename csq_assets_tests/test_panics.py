"""A panic of Polars is not printed, and nothing else that is printed meanwhile is lost."""

import os
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from csq_assets.panics import unprinted_panics
from csq_assets_tests.avro.avro_bytes import block, header, long, record, text
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.fuzz.containers import PACK
from csq_assets_tests.platform import Platform

STDERR = 2
Capture = pytest.CaptureFixture[str]


def panic() -> None:
    """What Polars does over a text that is longer than the rest of its block."""
    body = header(record(a="bytes")) + block(1, long(700) + b"x")
    with pytest.raises(pl.exceptions.PanicException):
        pl.read_avro(BytesIO(body))


def test_what_is_printed_meanwhile_is_passed_on_without_panics(capfd: Capture) -> None:
    os.write(STDERR, b"before\n")
    with unprinted_panics:
        os.write(STDERR, "während, ".encode())
        panic()
        os.write(STDERR, b"thread 'x' is fine\n")
        panic()
    os.write(STDERR, b"after\n")
    assert capfd.readouterr().err == "before\nwährend, thread 'x' is fine\nafter\n"
    panic()
    assert "panicked at" in capfd.readouterr().err  # outside it is printed


def test_threads_that_overlap_hide_the_panics_of_all_of_them(capfd: Capture) -> None:
    inside, done = threading.Barrier(2), threading.Event()

    def other() -> None:
        with unprinted_panics:
            inside.wait()
            panic()
            inside.wait()
            done.wait()
            os.write(STDERR, b"other\n")

    thread = threading.Thread(target=other)
    thread.start()
    with unprinted_panics:
        inside.wait()
        panic()
        inside.wait()  # what is written amid a panic would cut it in two
        os.write(STDERR, b"first\n")
    assert capfd.readouterr().err == ""  # the other one is still inside
    done.set()
    thread.join()
    assert capfd.readouterr().err == "first\nother\n"


def test_a_redirection_by_others_stays(capfd: Capture, tmp_path: Path) -> None:
    before = os.dup(STDERR)
    with (tmp_path / "captured").open("wb") as captured:
        with unprinted_panics:
            os.dup2(captured.fileno(), STDERR)
        os.write(STDERR, b"to the new place\n")
    os.dup2(before, STDERR)
    os.close(before)
    assert (tmp_path / "captured").read_text() == "to the new place\n"
    assert capfd.readouterr().err == ""


def test_a_process_without_standard_error_decodes_all_the_same() -> None:
    program = (
        "import os; os.close(2)\n"
        "from csq_assets_tests.test_panics import panic, unprinted_panics\n"
        "with unprinted_panics: panic()\n"
        "print('raised')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"raised\n", b"")


@pytest.mark.parametrize("codec", ["snappy", "null"])
def test_a_sync_says_its_own_sentence_alone(platform: Platform, codec: str) -> None:
    columns = {"event_id": "long", "user_id": "long", "title": ["null", "string"]}
    row = long(1) + long(1) + long(1) + text("title")
    plain = row * 999 + long(1) + long(1) + long(1) + long(700) + b"title"
    body = header(record(**columns), codec) + block(1_000, PACK[codec](plain))
    platform.deliver(7, clicks=[AvroFile(body=body)], columns={"clicks": list(columns)})
    ran = platform.csq("sync", RUST_BACKTRACE="1")
    assert ran.code == 1
    *said, last = ran.stderr.splitlines()
    assert "row 999, column title: damaged: a value of 700 bytes where 5 are left" in last
    assert not [line for line in said if "panicked" in line or "backtrace" in line]
