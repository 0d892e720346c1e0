"""A Django site whose tests are those of the backend. DATABASE_URL: PostgreSQL, for Orpheus too."""

import os
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(os.environ["SITE_FOLDER"])
SECRET_KEY = "tests"
ROOT_URLCONF = "checked.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "orpheus.django",
    "checked",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
_PROCESSORS = ["template.context_processors.request", "contrib.auth.context_processors.auth"]
_PROCESSORS += ["contrib.messages.context_processors.messages"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [f"django.{name}" for name in _PROCESSORS]},
    }
]
_POSTGRESQL = urlsplit(os.environ.get("DATABASE_URL", ""))
_SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "site.db"}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _POSTGRESQL.path[1:],
        "HOST": _POSTGRESQL.hostname,
        "PORT": _POSTGRESQL.port,
        "USER": _POSTGRESQL.username,
        "TEST": {"NAME": _POSTGRESQL.path[1:]},
    }
    if _POSTGRESQL.path
    else {**_SQLITE, "TEST": {"NAME": FOLDER / "test.db"}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LANGUAGE_CODE = "en"
TASKS = {"default": {"BACKEND": "orpheus.django.OrpheusBackend", "QUEUES": ["default", "mail"]}}
