"""Who is close to whom: all pairs or one query; plan, run, merge."""
