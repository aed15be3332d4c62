"""What is checked of an entry that could be read: a file a subject, a generator of flaws each."""
