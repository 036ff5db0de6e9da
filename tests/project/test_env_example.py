"""`.env.example` and what really reads the environment say the same."""

import pytest

from tests.project.files import ROOT, compose_variables, example_lines, settings_defaults

# Read by the runner of `make run` and `make test`, before Django's settings exist.
RUNNER_NAMES = {"PORT", "LEADAGENT_STATE_DIR", "LEADAGENT_NO_UNSHARE"}
NEEDED_IN_PRODUCTION = {"PUBLIC_URL", "SECRET_KEY", "ENCRYPTION_SECRET", "POSTGRES_PASSWORD", "EMAIL_URL"}


def test_example_lists_every_name_that_is_read_and_no_other() -> None:
    assert set(example_lines()) == set(settings_defaults()) | compose_variables() | RUNNER_NAMES


def test_settings_names_are_found_by_every_way_they_are_read() -> None:
    # One by each way: a secret, a text, a number, a list, a database address, a mail address.
    names = {"SECRET_KEY", "PUBLIC_URL", "FREE_TIER_REQUESTS", "ALLOWED_HOSTS", "DATABASE_URL", "EMAIL_URL"}
    assert names <= set(settings_defaults())


def test_runner_names_are_read_by_the_runner() -> None:
    runner = "\n".join(path.read_text() for path in (ROOT / "leadagent/embedded").glob("*.py"))
    assert {name for name in RUNNER_NAMES if f'environ.get("{name}")' in runner} == RUNNER_NAMES


@pytest.mark.parametrize("name", sorted(example_lines()))
def test_each_name_has_one_line_of_explanation(name: str) -> None:
    explanation = example_lines()[name][2]
    assert explanation.startswith("# ")
    assert explanation.endswith(".")


def test_only_what_production_needs_is_not_commented_out_and_it_is_empty() -> None:
    given = {name: value for name, (value, is_comment, _) in example_lines().items() if not is_comment}
    assert given == dict.fromkeys(NEEDED_IN_PRODUCTION, "")


@pytest.mark.parametrize("name", sorted(settings_defaults().keys() - NEEDED_IN_PRODUCTION))
def test_values_shown_are_the_defaults(name: str) -> None:
    default = settings_defaults()[name]
    value, is_comment, _ = example_lines()[name]
    assert is_comment
    # Where the default is worked out, an example stands in its place.
    assert default is None or value == str(default)
