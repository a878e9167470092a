"""Contentsquare Data Connect exports as Dagster assets."""
