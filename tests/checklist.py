"""The customer's testing checklist, item by item, and the tests that hold each of them.

Node ids as pytest takes them: `pytest $(python -m tests.checklist "Switch between models")` runs one item's,
`pytest $(python -m tests.checklist)` all of them. tests/project/test_checklist.py fails on an id that is gone.
"""

import sys
from collections.abc import Mapping

_OPENROUTER, _OPENAI, _ANTHROPIC = (
    f"tests/flows/test_workflow.py::test_full_workflow[{name}]"
    for name in ("openrouter-key-and-claude-3.5-sonnet", "openai-direct-key", "anthropic-direct-key")
)
_GPT_4_TURBO = "tests/flows/test_workflow.py::test_full_workflow[openrouter-key-and-gpt-4-turbo]"
_LLAMA_3 = "tests/flows/test_workflow.py::test_full_workflow[openrouter-key-and-llama-3]"
_PLATFORM = "tests/flows/test_workflow.py::test_full_workflow_with_the_platform_key_counts_as_free_requests"

CHECKLIST: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Unit tests": {
        "Encryption/decryption functions": (
            "tests/byok/test_encryption.py::test_what_is_sealed_opens_again",
            "tests/byok/test_encryption.py::test_the_envelope_names_version_secret_nonce_and_ciphertext",
            "tests/byok/test_encryption.py::test_no_two_seals_are_alike",
        ),
        "API key masking": ("tests/byok/test_encryption.py::test_a_mask_shows_prefix_and_last_four",),
        "Cost calculation accuracy (OpenRouter, OpenAI, Anthropic)": (
            "tests/byok/test_pricing.py::test_costs",
            "tests/byok/test_pricing.py::test_openrouters_own_figure",
            "tests/byok/test_recorded_answers.py::test_it_is_priced_to_the_last_digit",
        ),
        "Model resolution logic": (
            "tests/byok/test_resolver.py::test_an_operation_may_have_a_model_of_its_own",
            "tests/byok/test_resolver.py::test_the_platforms_default",
            "tests/byok/test_resolver.py::test_typed_refusals",
        ),
        "Usage tracking": (
            "tests/byok/test_metering.py::test_success",
            "tests/usage/test_ingest.py::test_an_event_becomes_a_row_with_everything_it_said",
        ),
        "Provider instance creation": (
            "tests/byok/test_resolver.py::test_the_official_client_of_the_chosen_provider",
            "tests/byok/test_providers.py::test_the_registry_lists_what_the_models_know",
        ),
    },
    "Integration tests": {
        "Save and retrieve AI config": (
            "tests/byok/test_config.py::test_what_is_saved_is_read",
            "tests/byok/test_api.py::test_what_is_saved_is_read_and_the_key_is_masked",
        ),
        "Encrypt and decrypt API keys": (
            "tests/byok/test_config.py::test_a_key_is_kept_replaced_and_removed",
            "tests/byok/test_wire.py::test_the_tenants_key_arrives_in_its_header_and_in_no_other",
        ),
        "Make AI request with OpenRouter key": (_OPENROUTER,),
        "Make AI request with OpenAI key": (_OPENAI,),
        "Make AI request with Anthropic key": (_ANTHROPIC,),
        "Fallback to platform key": (
            "tests/flows/test_fallback.py::test_allowed_the_run_goes_on_and_says_so",
            "tests/flows/test_fallback.py::test_without_consent_the_platforms_key_is_not_touched",
        ),
        "Track usage correctly": (
            "tests/flows/test_workflow.py::test_every_request_that_the_providers_saw_is_a_usage_row",
            "tests/usage/test_ingest.py::test_the_rollup_equals_the_events",
        ),
        "Calculate costs accurately": (
            "tests/byok/test_recorded_answers.py::test_every_recorded_answer_is_priced",
            "tests/byok/test_metering.py::test_an_unknown_model_has_an_unknown_cost",
        ),
        "Test different model providers through OpenRouter": (_OPENROUTER, _GPT_4_TURBO, _LLAMA_3),
    },
    "End-to-end tests": {
        "Full workflow with OpenRouter key and Claude 3.5 Sonnet": (_OPENROUTER,),
        "Full workflow with OpenRouter key and GPT-4 Turbo": (_GPT_4_TURBO,),
        "Full workflow with OpenRouter key and Llama 3": (_LLAMA_3,),
        "Full workflow with OpenAI direct key": (_OPENAI,),
        "Full workflow with Anthropic direct key": (_ANTHROPIC,),
        "Full workflow with platform key": (_PLATFORM,),
        "Switch between providers": (
            "tests/flows/test_switching.py::test_switch_between_providers",
            "tests/browser/test_journey.py::test_switching_the_provider_swaps_the_form_and_refuses_another_providers_key",
        ),
        "Switch between models": ("tests/flows/test_switching.py::test_switch_between_models",),
        "API key validation": (
            "tests/browser/test_ai_settings.py::test_a_key_is_tested_in_place_and_stays_in_its_field",
            "tests/sandbox/test_connection.py::test_a_good_key",
            "tests/byok/test_connection.py::test_a_refused_key",
        ),
        "Usage dashboard displays correctly": (
            "tests/browser/test_journey.py::test_from_sign_in_to_an_approved_email_and_its_cost",
            "tests/browser/test_usage.py::test_a_chart_by_keyboard_and_by_pointer",
            "tests/usage/test_dashboard.py::test_the_figures_of_a_month",
        ),
        "Model catalog browsing": (
            "tests/browser/test_catalog.py::test_search_while_typing_and_back_again",
            "tests/browser/test_catalog.py::test_more_are_loaded_below",
        ),
    },
    "Security tests": {
        "API keys never logged": (
            "tests/security/test_canary.py::test_a_marked_key_is_seen_nowhere",
            "tests/flows/test_workflow.py::test_no_key_is_in_any_log_mail_or_table",
        ),
        "API keys never in error messages": (
            "tests/byok/test_key_stays_hidden.py::test_after_a_failure",
            "tests/security/test_error_reports.py::test_a_report_holds_no_key",
        ),
        "Encrypted keys can't be decrypted without secret": (
            "tests/byok/test_encryption.py::test_a_secret_that_is_gone_is_named_as_the_reason",
            "tests/byok/test_encryption.py::test_djangos_secret_key_has_no_part_in_it",
        ),
        "Authorization checks work": (
            "tests/tenants/test_routes.py::test_the_role_decides",
            "tests/tenants/test_routes.py::test_outsiders_find_nothing",
            "tests/security/test_api_matrix.py::test_the_scope_decides",
        ),
        "SQL injection protection": (
            "tests/security/test_sql_injection.py::test_no_page_takes_sql",
            "tests/security/test_sql_injection.py::test_no_call_takes_sql",
        ),
        "XSS protection in UI": ("tests/security/test_stored_scripts.py::test_no_stored_script_runs",),
        "OpenRouter-specific headers working": (
            "tests/byok/test_wire.py::test_attribution_is_sent_to_openrouter_only",
            "tests/flows/test_switching.py::test_openrouter_is_told_the_site",
        ),
    },
    "Performance tests": {
        "AI request latency unchanged with provider instances": (
            "tests/bench/test_quick.py::test_every_figure_can_be_produced",
            "tests/bench/test_quick.py::test_the_figures_are_those_that_are_explained",
        ),
        "Database queries optimized": (
            "tests/usage/test_usage_page.py::test_thirty_rows_cost_the_queries_of_one",
            "tests/leads/test_listing.py::test_three_hundred_leads_cost_the_queries_of_three",
            "tests/byok/test_known_configs.py::test_no_query_while_nothing_changes",
        ),
        "Concurrent requests handled": (
            "tests/byok/test_wire.py::test_sixty_calls_at_once_send_exactly_the_limit",
            "tests/usage/test_quota.py::test_two_hundred_at_once_are_granted_exactly_the_limit",
            "tests/usage/test_ingest.py::test_two_drainers_side_by_side_count_nothing_twice",
        ),
        "Large usage data loads quickly": (
            "tests/usage/test_dashboard.py::test_a_thousand_calls_of_many_days_cost_the_queries_of_one",
            "tests/usage/test_calls_page.py::test_queries_do_not_grow",
        ),
        "Model instance caching": (
            "tests/byok/test_known_configs.py::test_no_query_while_nothing_changes",
            "tests/byok/test_resolver.py::test_resolving_opens_no_key",
        ),
    },
}


def node_ids(wanted: str = "") -> list[str]:
    """The tests of the items whose words contain `wanted`, each once."""
    found = [
        node
        for items in CHECKLIST.values()
        for item, nodes in items.items()
        if wanted.lower() in item.lower()
        for node in nodes
    ]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    print("\n".join(node_ids(" ".join(sys.argv[1:]))))
