"""Where bytes come from and where decoded dumps are kept: a directory or a bucket."""
