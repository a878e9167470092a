"""Dagster definitions: thin bodies that call the domain, the lake and the warehouse."""
