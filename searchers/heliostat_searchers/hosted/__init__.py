"""Other libraries' searchers behind our interface: their proposals, our guarantees.

Each call tells the library the whole history and asks it anew, so that nothing but the arguments matters.
The library's part is :class:`.asking.Dialogue`; legality, novelty and the way on when the library has nothing
legal and new to say are :mod:`.asking`'s, for all of them.
"""
