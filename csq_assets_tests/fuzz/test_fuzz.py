"""Hostile input ends in a value or a sentence, within 2 GiB and 10 seconds. `make fuzz` tries more."""

import pytest

from csq_assets_tests.fuzz.kinds import KINDS, Kind
from csq_assets_tests.fuzz.worker import explode, fuzz, input_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_input_is_read_or_refused(kind: str) -> None:
    inputs = 100 if KINDS[kind].compare else 500
    found = fuzz(kind, "7", inputs)
    assert found.faults == []
    assert found.counts.total() == inputs
    assert min(found.counts["accepted"], found.counts["refused"]) > inputs // 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["manifests", "Avro blocks"])
def test_a_bomb_is_read_or_refused(kind: str) -> None:
    found = explode(kind)
    assert found.faults == []
    assert found.counts["refused"] > 0


def test_an_input_can_be_had_again() -> None:
    assert input_of("Avro rows", "7", 3) == input_of("Avro rows", "7", 3)
    assert input_of("Avro rows", "7", 3) != input_of("Avro rows", "8", 3)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raise ValueError('a bug')", "fault ValueError: a bug"),
        ("import os; os.abort()", "the process ended with -6 and printed ''"),
        ("import time; time.sleep(60)", "no answer within 10 seconds"),
        ("bytearray(3 * 1024**3)", "fault MemoryError: "),
        ("import sys; sys.stderr.write('oh\\n')", "the process ended with 0 and printed 'oh'"),
    ],
)
def test_a_planted_fault_is_found(fault: str, told: str) -> None:
    (found,) = fuzz(fault, "7", 1).faults
    assert found.startswith(f"{fault}, seed 7, input ")
    assert found.endswith(f": {told}")


def test_a_kind_compares_before_it_reads() -> None:
    done: list[bytes] = []
    kind = Kind(lambda _: b"", done.append, compare=lambda body: done.append(body * 2))
    assert kind.judge(b"a", compares=True) == "accepted"
    assert done == [b"aa", b"a"]
