from django.urls import path, register_converter

from byok.providers import REGISTRY
from byok.views import catalog, catalog_model, catalog_select, connect, keys, models, prices, settings, wizard

app_name = "byok"


class ProviderConverter:
    """One of the providers; every other word leaves the address to other pages."""

    regex = "[a-z][a-z0-9]*"

    def to_python(self, value: str) -> str:
        if value not in REGISTRY:
            raise ValueError
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ProviderConverter, "provider")

_MODELS = "o/<slug:org>/models/"
_SETTINGS = "o/<slug:org>/settings/ai/"

urlpatterns = [
    path(_MODELS, catalog.catalog, name="catalog"),
    path(f"{_MODELS}compare/", catalog_model.catalog_compare, name="catalog_compare"),
    path(f"{_MODELS}select/", catalog_select.catalog_select, name="catalog_select"),
    path(f"{_MODELS}<provider:provider>/<path:model_id>/", catalog_model.catalog_model, name="catalog_model"),
    path(_SETTINGS, settings.ai_settings, name="settings"),
    path(f"{_SETTINGS}form/", settings.change_form, name="change_form"),
    path(f"{_SETTINGS}models/", models.model_options, name="model_options"),
    path(f"{_SETTINGS}test/", keys.test_key, name="test_key"),
    path(f"{_SETTINGS}keys/<slug:provider>/check/", keys.recheck_key, name="recheck_key"),
    path(f"{_SETTINGS}keys/<slug:provider>/remove/", keys.remove_key, name="remove_key"),
    path(f"{_SETTINGS}keys/<slug:provider>/undo/", keys.bring_key_back, name="undo_replacement"),
    path(f"{_MODELS}prices/", prices.prices, name="prices"),
    path(f"{_MODELS}prices/add/", prices.price_add, name="price_add"),
    path(f"{_MODELS}prices/<int:price_id>/end/", prices.price_end, name="price_end"),
    path("o/<slug:org>/onboarding/ai/", wizard.onboarding_ai, name="onboarding_ai"),
    path("o/<slug:org>/onboarding/key/<slug:provider>/", wizard.onboarding_key, name="onboarding_key"),
    path("o/<slug:org>/onboarding/models/", wizard.onboarding_models, name="onboarding_models"),
    path("o/<slug:org>/onboarding/done/", wizard.onboarding_done, name="onboarding_done"),
    path("o/<slug:org>/connect/openrouter/", connect.connect_start, name="connect_start"),
    path("o/<slug:org>/connect/openrouter/<slug:state>/", connect.connect_callback, name="connect_callback"),
]
