import django.db.models.deletion
import django.utils.timezone
import pgvector.django.vector
from django.db import migrations, models

# The model that most passages of an organisation were made with goes on serving; what is of
# another one is prepared again. The provider is not known: an empty one is asked of the chosen one.
_FORWARD = """
INSERT INTO leads_knowledgeindex (
    organization_id, provider, model, next_provider, next_model, state, error_code, error_sentence, attempts
)
SELECT organization_id, '', mode() WITHIN GROUP (ORDER BY embedding_model), '', '', 'none', '', '', 0
FROM leads_chunk GROUP BY organization_id;

INSERT INTO leads_chunkvector (organization_id, chunk_id, model, dimension, embedding)
SELECT c.organization_id, c.id, c.embedding_model, c.dimension, c.embedding
FROM leads_chunk c JOIN leads_knowledgeindex i USING (organization_id)
WHERE c.embedding_model = i.model;

UPDATE leads_document SET searchable_version = 1 WHERE status = 'ready';
UPDATE leads_document d SET status = 'pending', searchable_version = 0, attempts = 0
FROM leads_knowledgeindex i
WHERE d.organization_id = i.organization_id AND d.status = 'ready' AND d.embedding_model <> i.model;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0006_draft_history'),
        ('tenants', '0005_plain_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='KnowledgeIndex',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='knowledge_index', serialize=False, to='tenants.organization')),
                ('provider', models.CharField(max_length=20)),
                ('model', models.CharField(max_length=200)),
                ('next_provider', models.CharField(blank=True, max_length=20)),
                ('next_model', models.CharField(blank=True, max_length=200)),
                ('state', models.CharField(choices=[('none', 'None'), ('running', 'Under way'), ('paused', 'Paused'), ('declined', 'Cancelled')], default='none', max_length=10)),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('error_sentence', models.TextField(blank=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('nudged_at', models.DateTimeField(blank=True, null=True)),
                ('looked_at', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ChunkVector',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(max_length=200)),
                ('dimension', models.PositiveIntegerField()),
                ('embedding', pgvector.django.vector.VectorField()),
                ('chunk', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='vectors', to='leads.chunk')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='chunk_vectors', to='tenants.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['organization', 'model', 'dimension'], name='vector_searched_together')],
                'constraints': [models.UniqueConstraint(fields=('chunk', 'model'), name='one_vector_per_model')],
            },
        ),
        migrations.AddField(model_name='document', name='kind', field=models.CharField(choices=[('pasted', 'Pasted text'), ('text', 'Text or Markdown'), ('html', 'Web page'), ('pdf', 'PDF'), ('docx', 'Word')], default='pasted', max_length=10)),
        migrations.AddField(model_name='document', name='file_name', field=models.CharField(blank=True, default='', max_length=200), preserve_default=False),
        migrations.AddField(model_name='document', name='pages', field=models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField(model_name='document', name='version', field=models.PositiveIntegerField(default=1)),
        migrations.AddField(model_name='document', name='searchable_version', field=models.PositiveIntegerField(default=0)),
        migrations.AddField(model_name='document', name='updated_at', field=models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AlterField(model_name='document', name='status', field=models.CharField(choices=[('pending', 'Being prepared'), ('ready', 'Ready'), ('waiting', 'Waiting for AI'), ('failed', 'Failed')], default='pending', max_length=10)),
        migrations.AddField(model_name='chunk', name='version', field=models.PositiveIntegerField(default=1)),
        migrations.AddField(model_name='chunk', name='headings', field=models.JSONField(default=list)),
        migrations.AddField(model_name='chunk', name='start', field=models.PositiveIntegerField(default=0)),
        migrations.AddField(model_name='chunk', name='end', field=models.PositiveIntegerField(default=0)),
        migrations.RunSQL(_FORWARD, migrations.RunSQL.noop),
        # The rows above have touched tables that are altered below.
        migrations.RunSQL('SET CONSTRAINTS ALL IMMEDIATE', migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name='chunk', name='one_chunk_per_position'),
        migrations.RemoveIndex(model_name='chunk', name='chunk_searched_together'),
        migrations.RemoveField(model_name='chunk', name='embedding'),
        migrations.RemoveField(model_name='chunk', name='embedding_model'),
        migrations.RemoveField(model_name='chunk', name='dimension'),
        migrations.RemoveField(model_name='document', name='embedding_model'),
        migrations.AddConstraint(model_name='chunk', constraint=models.UniqueConstraint(fields=('document', 'version', 'position'), name='one_chunk_per_place')),
        # Vectors of up to about 1,900 dimensions lie beside their rows: the scan need not look them up one by one.
        migrations.RunSQL('ALTER TABLE leads_chunkvector ALTER COLUMN embedding SET STORAGE MAIN', migrations.RunSQL.noop),
    ]
