"""Who is close to whom: all pairs or one query; plan, run, merge.

Not named after its main function, `corated.neighbors`: a submodule would take the function's place.
"""
