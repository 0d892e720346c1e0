"""The table of texts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True
    operations = (
        migrations.CreateModel(
            "Text",
            [
                (
                    "id",
                    models.BigAutoField(
                        verbose_name="ID", auto_created=True, primary_key=True, serialize=False
                    ),
                ),
                ("body", models.TextField()),
                ("task", models.CharField(max_length=64)),
            ],
        ),
    )
