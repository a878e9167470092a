"""A made-up export in the real layout, to try everything without a bucket.

It shares no code with the reader, so that no error of the one is mirrored by the other.
"""

from csq_assets.sample.made_up_export import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
