"""Why jobs wait, and what needs a person: one read and one voice.

`facts` reads once what every explanation needs. `reasons` decides, purely: why a job does not run,
why a queue does not start its next job, what the system needs. `sentences` puts each reason into
words, with the command that mends it. `answers` makes the messages of them. The kernel imports
nothing of this room.
"""
