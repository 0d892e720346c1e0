"""Jobs of an application that configures logging: when it is imported, and again in a job."""

import logging.config

import structlog

from orpheus import job

SETTINGS = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
logging.config.dictConfig(SETTINGS)


@job
def configuring() -> None:
    """Do what a first `django.setup()` or a migration of alembic does."""
    logging.config.dictConfig(SETTINGS)


@job
def recording() -> None:
    """Log a line, and fail."""
    logging.getLogger().info("recorded")
    raise RuntimeError("no")


@job
def structured() -> None:
    """Log a line with structlog, as it is configured when nobody has done so."""
    structlog.get_logger().info("structured", number=7)
