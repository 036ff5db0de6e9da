"""Search of leads that takes no notice of accents: Muller finds Müller, and the other way round.

A function of our own rather than the extension unaccent: it is there in every PostgreSQL, needs no right to create
extensions, and is immutable, which a generated column asks for. The column is made anew, which reads every lead once
(100,000 leads: a few seconds) while the table is locked.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import migrations, models

# Letters are taken apart, their accents dropped, and what is left put together again, so that scripts whose letters
# are made of parts (Korean) stay whole. Then the letters that Unicode takes for ones of their own.
_MAKE = r"""
CREATE FUNCTION leads_without_accents(written text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(replace(replace(replace(replace(replace(translate(
    normalize(regexp_replace(normalize(written, NFD), U&'[\0300-\036F]', '', 'g'), NFC),
    'ØøŁłĐđÐðĦħŦŧı', 'OoLlDdDdHhTti'
), 'ß', 'ss'), 'ẞ', 'SS'), 'Æ', 'AE'), 'æ', 'ae'), 'Œ', 'OE'), 'œ', 'oe'), 'Þ', 'TH'), 'þ', 'th')
"""
_DROP = "DROP FUNCTION leads_without_accents(text)"
_SEPARATORS = "@._-+/:;,#&=?~<>"


def _words_of(column: str) -> models.Func:
    return models.Func(
        models.Func(column, function="leads_without_accents", output_field=models.TextField()),
        models.Value(_SEPARATORS),
        models.Value(" " * len(_SEPARATORS)),
        function="translate",
        output_field=models.TextField(),
    )


class Migration(migrations.Migration):
    dependencies = [("leads", "0016_verdict_reasons")]

    operations = [
        migrations.RunSQL(_MAKE, _DROP),
        migrations.RemoveIndex("lead", "lead_search"),
        migrations.RemoveField("lead", "search"),
        migrations.AddField(
            "lead",
            "search",
            models.GeneratedField(
                expression=SearchVector(
                    *(_words_of(column) for column in ("name", "email", "company", "message")), config="simple"
                ),
                output_field=SearchVectorField(),
                db_persist=True,
                editable=False,
            ),
        ),
        migrations.AddIndex("lead", GinIndex(fields=["search"], name="lead_search", fastupdate=False)),
    ]
