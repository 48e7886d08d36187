"""What `bench` runs in other processes: scripts, each started by the interpreter that it measures.

They import one another by bare names, since a peer's interpreter need not have this package.
"""
