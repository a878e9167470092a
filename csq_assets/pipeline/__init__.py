"""One pass, without Dagster: what to decode, what to refresh, and how each is done."""
