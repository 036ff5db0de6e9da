"""Run inside the product's environment: models with names that no real one has, and one that the sandbox offers.

python -m tests.browser.catalog_rows
"""

from decimal import Decimal

import django


def main() -> None:
    django.setup()
    from byok.models import CatalogModel
    from tests.byok.catalog_rows import row_fields

    rows = [
        row_fields("kestrel/great", name="Kestrel Great", tier="premium", input_price=Decimal(7), output_price=Decimal(30)),
        row_fields("kestrel/small", name="Kestrel Small", tier="cheap", input_price=Decimal("0.075"),
                   context_window=1_048_576, capabilities=["tools"], is_fast=True),
        row_fields("kestrel/embed", name="Kestrel Embed", kind="embedding", output_price=None),
        row_fields("openai/gpt-4o-mini", name="GPT-4o mini"),
        *(row_fields(f"plover/{number:02d}", name=f"Plover {number:02d}") for number in range(30)),
    ]  # fmt: skip
    for row in rows:
        CatalogModel.objects.get_or_create(
            route=row["route"], model_id=row["model_id"], organization=None, defaults=row
        )


if __name__ == "__main__":
    main()
