"""What is measured: a module for each case, each with one Case named CASE."""
