"""Hostile input: documents and files that are changed, and bombs, under limits on memory and time."""
