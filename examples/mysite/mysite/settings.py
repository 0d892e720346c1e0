"""The settings of the site: TASKS is what makes it use Orpheus."""

from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).parents[1]
SECRET_KEY = "only-for-this-example"  # noqa: S105
DEBUG = True
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "orpheus.django",
    "texts",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        "TEST": {"NAME": BASE_DIR / "test.sqlite3"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True

TASKS = {
    "default": {
        "BACKEND": "orpheus.django.OrpheusBackend",
        "OPTIONS": {
            "CONFIG": BASE_DIR / "orpheus.toml",
            "DATABASE": "default",  # a task exists if and only if the transaction commits
            "DASHBOARD": "http://127.0.0.1:8001",
        },
    }
}
