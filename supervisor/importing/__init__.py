"""Make Orpheus' settings of the files of other programs: crontab, supervisord.conf, Procfile. PURE.

Each converter takes text and returns an `Imported`: entries for orpheus.toml, and everything that
could not be carried over, with its line, the reason and what to do instead. A line is never dropped
silently: whoever moves must be able to trust that what they see is all there was.
"""
