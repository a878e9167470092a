"""What csq_assets costs, measured beside what else there is. `make bench`, docs/performance.md."""
