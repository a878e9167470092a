"""Whatever byte is changed, both reading paths say the same. `make fuzz` tries many more."""

import pytest

from csq_assets_tests.fuzz.containers import PACK, fuzz

CHECKED = ("snappy", "bzip2", "xz")


@pytest.mark.parametrize("codec", PACK)
def test_both_paths_agree_on_files_with_a_byte_changed(codec: str) -> None:
    counts = fuzz(codec, changes=200, seed=7)
    assert counts.total() == 200
    assert counts["written so, accepted"] > 20
    assert counts["written so, refused"] > 10
