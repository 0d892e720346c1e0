"""Turn settings into what should run, at the start and at each reload.

Nothing in here may start, signal or watch a process of a slot.
"""
