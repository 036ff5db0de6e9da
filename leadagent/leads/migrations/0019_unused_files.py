from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0018_rewrite_grant'),
    ]

    operations = [
        migrations.AlterField(
            model_name='leadimport',
            name='status',
            field=models.CharField(choices=[('mapping', 'Columns to be chosen'), ('reading', 'Taking rows in'), ('running', 'Running the workflow'), ('done', 'Done'), ('cancelled', 'Cancelled'), ('expired', 'File removed')], default='mapping', max_length=10),
        ),
    ]
