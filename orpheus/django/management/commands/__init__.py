"""`manage.py orpheus`."""
