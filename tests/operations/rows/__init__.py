"""The chapters of the table of operations."""
