"""What the benchmarks are built of: servers, load, measures, tables, charts. Standard library only."""
