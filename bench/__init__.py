"""Benches, each with a peer measured in the same run: `python -m bench.NAME [--quick] [--json]`."""
