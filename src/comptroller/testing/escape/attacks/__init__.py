"""The attacks: a program of its own that runs inside a box with nothing but the standard library.

Takes one argument, the path of a JSON document of bait (see `bait.py`). An attack that returns got through; one that
raises was blocked.
"""
