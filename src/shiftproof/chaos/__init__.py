"""The Chaos Toolkit extension that experiments/ name: faults that check their own effect and end by themselves.

Nothing is imported here: Chaos Toolkit imports the module that an experiment names, in a process of its own.
"""
