"""The proof harness: one table of operations, and the tests that follow from it for every row."""
