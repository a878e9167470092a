"""Scripts of the cases that are no peers: csq_assets itself, and what nobody can avoid."""
