"""The stored key of an organisation."""

from byok.encryption import decrypt_api_key
from byok.models import ProviderCredential
from leadagent.tenants.models import Organization


def opened(organization: Organization, provider: str = "openai") -> str:
    row = ProviderCredential.objects.get(organization=organization, provider=provider)
    return decrypt_api_key(row.sealed_key, binding=row.binding)
