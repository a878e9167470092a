"""Telling people: what is not as it should be, since when, what to do; once, and when it is over.

Nothing here fails a pass, and nothing here knows Dagster.
"""
