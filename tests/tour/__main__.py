"""`python -m tests.tour`: take the pictures again and write the document."""

import os
import sys
import tempfile
from pathlib import Path

from tests.serving import serving
from tests.tour.document import DOCUMENT, IMAGES, document
from tests.tour.pictures import take


def main() -> None:
    import django

    from leadagent.embedded.state import Secrets

    # For addresses alone: what is served has secrets and servers of its own, and these reach nobody.
    made = Secrets.generate()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "leadagent.settings",
        "LEADAGENT_ENV": "test",
        "SANDBOX_ENABLED": "1",
        "SECRET_KEY": made.secret_key,
        "ENCRYPTION_SECRET": made.encryption_secret,
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    django.setup()
    with tempfile.TemporaryDirectory() as state, serving(Path(state)) as served:
        pictures = dict(take(served))
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("*.webp"):
        old.unlink()
    for name, data in pictures.items():
        (IMAGES / name).write_bytes(data)
    DOCUMENT.write_text(document())
    print(f"{len(pictures)} pictures, {sum(map(len, pictures.values())) / 1_000_000:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
