"""The signs of each vector, a thirty-second of its size, in the index that searches go by: docs/adr/0010.

The column is made by rewriting the table: some seconds per 50,000 passages, during which it is locked.
"""

from django.db import migrations, models

import leadagent.leads.models.vector_signs


class Migration(migrations.Migration):
    dependencies = [("leads", "0019_unused_files")]

    operations = [
        migrations.AddField(
            "chunkvector",
            "signs",
            models.GeneratedField(
                expression=models.Func("embedding", function="binary_quantize"),
                output_field=leadagent.leads.models.vector_signs.SignsField(),
                db_persist=True,
                editable=False,
            ),
        ),
        migrations.RemoveIndex("chunkvector", "vector_searched_together"),
        migrations.AddIndex(
            "chunkvector",
            models.Index(
                fields=["organization", "model", "dimension"], include=["signs", "id"], name="vector_signs_together"
            ),
        ),
    ]
