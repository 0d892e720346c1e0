"""Makes the outbox, where the database can have one. It stays empty unless OPTIONS asks for it."""

from typing import Any

from django.db import migrations, models

from orpheus.shared.outbox.table import DATABASES, create_table


def _create(_apps: Any, editor: Any) -> None:
    connection = editor.connection
    if connection.vendor in DATABASES:
        for statement in connection.ops.prepare_sql_script(create_table(connection.vendor)):
            editor.execute(statement, params=None)


def _drop(_apps: Any, editor: Any) -> None:
    if editor.connection.vendor in DATABASES:
        editor.execute("DROP TABLE orpheus_outbox")


class Migration(migrations.Migration):
    """The first."""

    initial = True
    operations = (
        migrations.RunPython(_create, _drop),
        migrations.CreateModel(
            "Job",
            [("id", models.BigAutoField(primary_key=True))],
            options={"managed": False, "default_permissions": ("view",)},
        ),
    )
