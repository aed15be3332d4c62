"""The command line: one file a verb, nothing heavy at import."""
