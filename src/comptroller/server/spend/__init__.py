"""Showback: what was spent, by whom and on what, out of the log; as text, CSV, parquet and one page."""
