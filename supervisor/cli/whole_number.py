"""A whole number on the command line."""

import click


class WholeNumber(click.IntRange):
    """A whole number in a range; what is none is told in plain words."""

    name = "whole number"
