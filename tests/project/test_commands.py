"""What the documents tell people to type works: every block is run, or looked at as closely as can be without its program.

A block of a language or a program that stands in no list here fails: say how it is checked.
"""

import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import connection
from django.template import engines
from pytest_django import Settings

from byok.config.saving import save_ai_config
from leadagent.tenants.models import Organization, Role
from tests.byok.keys import KEYS
from tests.byok.old_system import OLD_SECRET, tenant
from tests.factories import MembershipFactory
from tests.project.documents import DOCUMENTS, Block, blocks
from tests.project.files import ROOT, compose, example_lines, settings_defaults
from tests.project.typing_in import Asked, type_in

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]

# Typed into a live server, one after another, by test_api_guide.py.
LIVE = {"docs/api.md", "docs/models.md", "docs/usage.md"}
# Python that runs in a test of its own.
PYTHON_RUNS_IN = {
    "CLAUDE.md": "tests/byok/test_patterns.py",
    "docs/adding-a-provider.md": "tests/byok/test_further_provider.py",
    "docs/api.md": "tests/project/test_api_guide.py",
    "docs/leads.md": "tests/project/test_api_guide.py",
}
# For other programs than ours, or shown to be read: (document, heading) -> why nothing can be run.
TO_BE_READ = {
    ("docs/architecture.md", "Stored keys"): "the shape of a sealed key",
    ("docs/backup.md", "Make a backup, and prove it"): "what a wrong secret looks like",
    ("docs/emails-and-prompts.md", "Bounces, for operators"): "files of a mail server",
}
# Blocks of `sh` that are no commands: lines for `.env`.
ENVIRONMENT = {
    ("README.md", "Use a real key"),
    ("docs/roll-out.md", "Stage 1: off"),
    ("docs/roll-out.md", "Stage 2: named organisations"),
    ("docs/roll-out.md", "Stage 3: everybody"),
    ("docs/roll-out.md", "Going back"),
}
# Management commands that run for real, on the test's database.
RUN = {"announce_byok", "import_tenants", "rebuild_rollups", "rotate_keys", "verify_audit", "backfill_ai_config"}
# Those whose words are only read, and why.
READ_ONLY: dict[str, str] = {
    "check": "part of make check",
    "rehearse_restore": "runs on the demo's data in tests/flows/test_rehearse_restore.py",
    "migrate": "has run when the test's database was made",
    "sync_catalog": "asks OpenRouter; see tests/byok/test_catalog_sync.py",
    "take_bounce": "reads a mail; see tests/leads/test_bounces.py",
}
PROGRAMS = ("docker", "make", "python", "psql")


def of_language(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    unknown = []
    for block in BLOCKS:
        match block.language:
            case "sh" | "sql" | "json" | "django":
                known = True
            case "python":
                known = block.document in PYTHON_RUNS_IN
            case "text":
                known = block.document in LIVE or (block.document, block.heading) in TO_BE_READ
            case _:
                known = False
        unknown += [] if known else [f"{block.name} ({block.language or 'no language'}, under “{block.heading}”)"]
    assert unknown == []


def test_the_lists_name_nothing_that_is_gone() -> None:
    places = {(block.document, block.heading) for block in BLOCKS}
    assert {*TO_BE_READ, *ENVIRONMENT} - places == set()
    assert {block.document for block in of_language("python")} == set(PYTHON_RUNS_IN)
    for test in PYTHON_RUNS_IN.values():
        assert (ROOT / test).is_file()
    named = {name for name, _ in inline_commands()}
    assert {*RUN, *READ_ONLY} - named == set()


# --- Commands ---


def commands_of(document: str) -> list[Block]:
    found = (block for block in of_language("sh") if block.document == document)
    return [block for block in found if (block.document, block.heading) not in ENVIRONMENT]


TYPED = sorted({block.document for block in of_language("sh")} - LIVE)


@pytest.fixture
def acme(settings: Settings, tmp_path: Path) -> Organization:
    """An organisation with a key, an admin, a sealed audit log; and the tables of the system that it may come from."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "typed"}}
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    organization = MembershipFactory(organization__slug="acme", role=Role.ADMIN).organization
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    return organization


@pytest.fixture
def folder(acme: Organization, tmp_path: Path) -> Path:
    """Where the reader is: a checkout, as far as the commands need one, with the files that the pages ask for."""
    made = tmp_path / "checkout"
    made.mkdir()
    copyfile(ROOT / ".env.example", made / ".env.example")
    (made / "admins.csv").write_text("clerkOrgId,email\norg_1,first@tenant.example\n")
    return made


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("document", TYPED)
def test_commands_do_as_they_are_typed(document: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = Typed(folder, monkeypatch)
    type_in(commands_of(document), folder, programs=PROGRAMS, answer=typed.answer, stdin=f"{OLD_SECRET}\n" * 5)
    assert typed.wrong == []
    assert typed.done > 0 or not commands_of(document)


class Typed:
    """Answers for the programs that are stood in for, and notes what would not have worked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.wrong: list[str] = []
        self.done = 0

    def answer(self, asked: Asked) -> tuple[int, str]:
        """The exit code and what is printed. Whatever fails is noted, and the shell goes on."""
        self.done += 1
        program, *words = asked.words
        try:
            with self.monkeypatch.context() as here:
                here.chdir(self.folder)
                if secret := asked.environment.get("OLD_SECRET"):
                    here.setenv("OLD_SECRET", secret)
                return 0, {"docker": docker, "make": make, "python": python, "psql": psql}[program](words)
        except (AssertionError, CommandError, SystemExit) as error:
            self.wrong.append(f"{' '.join(asked.words)}: {error!r}")
            return 0, ""


def make(words: Sequence[str]) -> str:
    """What make would do; it refuses names that are no targets."""
    tried = subprocess.run(
        ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert tried.returncode == 0, tried.stderr
    return ""


def python(words: Sequence[str]) -> str:
    """`manage.py` on the test's database, or a module of ours."""
    if words[0] == "-m":
        return module(*words[1:])
    assert words[0] == "manage.py", words
    name, *arguments = words[1:]
    assert name in get_commands(), f"there is no command {name}"
    if name not in RUN:
        assert name in READ_ONLY, f"say in RUN or READ_ONLY how {name} is checked"
        parser(name).parse_args(arguments)
        return ""
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def module(name: str, *words: str) -> str:
    """`python -m`: lists are printed for real, tests that are named have to be there."""
    assert find_spec(name), f"there is no module {name}"
    if name == "pytest":
        missing = [word for word in words if not (ROOT / word.partition("::")[0]).exists()]
        assert words, "all tests would run"
        assert missing == []
        return ""
    assert name in {"tests.checklist"}, f"say how `python -m {name}` is checked"
    ran = subprocess.run(
        [sys.executable, "-m", name, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def parser(name: str) -> Any:
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    made = command.create_parser("manage.py", name)
    made.called_from_command_line = True
    return made


# Options of `docker compose` that the documents use, and whether a value follows.
_COMPOSE = {
    "up": {"--detach": False, "--build": False, "--wait": False, "--no-deps": False, "--scale": True},
    "logs": {"--no-log-prefix": False, "--follow": False, "--since": True, "--tail": True},
    "exec": {"-T": False, "--env": True, "--user": True},
    "run": {"--rm": False, "--env": True, "-T": False, "--no-deps": False, "--entrypoint": True},
    "ps": {"--all": False},
    "pull": {},
    "stop": {"--timeout": True},
    "restart": {},
    "build": {},
}


def docker(words: Sequence[str]) -> str:
    """`docker compose` with our services; a command inside ours is checked as if it were typed outside."""
    assert words[0] == "compose", words
    action, *rest = words[1:]
    assert action in _COMPOSE, f"say which options `docker compose {action}` has"
    services = []
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            name, _, value = word.partition("=")
            assert name in _COMPOSE[action], f"docker compose {action} {name}"
            if _COMPOSE[action][name] and not value:
                rest.pop(0)
            continue
        services.append(word)
        if action in {"exec", "run"}:
            break
    unknown = set(services) - set(compose()["services"])
    assert unknown == set(), f"no such service: {unknown}"
    if rest and rest[0] == "python":
        python(rest[1:])
    return "web | 4bf92f3577b34da6\n"


def psql(words: Sequence[str]) -> str:
    """The statement of `--command`, on the old system's table, into the file of `--output`."""
    given = dict(pairwise(words))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE tenants (id text, clerk_org_id text, name text, ai_config jsonb)")
        for row in (tenant(1), tenant(2, "anthropic"), tenant(3, None)):
            values = [row["id"], row["clerkOrgId"], row["name"], json.dumps(row["aiConfig"])]
            cursor.execute("INSERT INTO tenants VALUES (%s, %s, %s, %s)", values)
        cursor.execute(given["--command"])
        ((found,),) = cursor.fetchall()
        cursor.execute("DROP TABLE tenants")
    assert {"--no-align", "--tuples-only"} <= set(words)
    Path(given["--output"]).write_text(found if isinstance(found, str) else json.dumps(found))
    return ""


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (python, ["manage.py", "rotate_kees"]),
        (python, ["manage.py", "take_bounce", "--fast"]),
        (python, ["manage.py", "seed_demo"]),
        (docker, ["compose", "exec", "webb", "python"]),
        (docker, ["compose", "up", "--detatch"]),
        (docker, ["compose", "exec", "web", "python", "manage.py", "rotate_kees"]),
        (make, ["tset"]),
        (python, ["-m", "tests.checklst"]),
        (python, ["-m", "pytest", "tests/nowhere.py::test_it"]),
    ],
)
def test_what_does_not_work_is_found(program: Any, words: list[str]) -> None:
    with pytest.raises((AssertionError, CommandError, SystemExit)):
        program(words)


@pytest.mark.parametrize("command", ["gunicorn --help", "cp nowhere.txt here.txt", "echo 'half a quote"])
def test_what_the_shell_cannot_do_is_found(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    with pytest.raises(AssertionError, match="code"):
        type_in([Block("page", "", "sh", command, 1)], folder, programs=PROGRAMS, answer=lambda asked: (0, ""))


# --- Other blocks ---


@pytest.mark.django_db
@pytest.mark.parametrize("block", of_language("sql"), ids=lambda block: block.name)
def test_sql_runs(block: Block) -> None:
    with connection.cursor() as cursor:
        cursor.execute(block.text)


@pytest.mark.parametrize("block", of_language("json"), ids=lambda block: block.name)
def test_json_can_be_read(block: Block) -> None:
    # A part of an object stands without its braces.
    json.loads(f"{{{block.text}}}" if re.match(r'"\w+":', block.text) else block.text)


def test_templates_compile() -> None:
    wrong = []
    for block in of_language("django"):
        try:
            engines["django"].from_string(block.text.replace("=…", "=text"))
        except Exception as error:
            wrong.append(f"{block.name}: {error}")
    assert wrong == []


def test_lines_for_the_environment_are_settings() -> None:
    lines = [
        line for block in BLOCKS if (block.document, block.heading) in ENVIRONMENT for line in block.text.splitlines()
    ]
    assert len(lines) > 8
    assert {line.partition("=")[0] for line in lines} - set(example_lines()) == set()


def test_the_addresses_of_the_readme_are_the_real_ones() -> None:
    """The defaults, which the demo's own values hide."""
    (block,) = [block for block in of_language("sh") if block.heading == "Use a real key"]
    lines = dict(line.split("=", 1) for line in block.text.splitlines())
    assert lines.pop("SANDBOX_ENABLED") == "0"
    assert lines == {name: settings_defaults()[name] for name in lines}


# --- In the middle of sentences ---


def inline_commands() -> list[tuple[str, list[str]]]:
    """Every `manage.py` command in the documents with the options that stand behind it."""
    found = []
    for document in DOCUMENTS:
        for name, rest in re.findall(r"manage\.py ([a-z_]+)((?:[ \t]+[^\s`|>]+)*)", document.read_text()):
            found.append((name, [word for word in rest.split() if word.startswith("--")]))
    return found


def test_commands_in_sentences_exist_with_their_options() -> None:
    wrong = []
    for name, options in inline_commands():
        if name not in get_commands():
            wrong.append(name)
            continue
        known = set(parser(name)._option_string_actions)
        wrong += [f"{name} {option}" for option in options if option.partition("=")[0] not in known]
    assert wrong == []


def test_make_targets_in_sentences_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    wrong = [
        f"{document.name}: make {name}"
        for document in DOCUMENTS
        for name in re.findall(r"`make ([a-z-]+)", document.read_text())
        if name not in targets
    ]
    assert wrong == []


def test_settings_in_sentences_exist() -> None:
    """What looks like one of our settings is one; other names are the providers', PostgreSQL's and the like."""
    ours = re.compile(
        r"`((?:BYOK|FREE_TIER|PLATFORM|PROVIDER|USAGE|ENCRYPTION|SANDBOX|LEADAGENT|RESEARCH|LEAD_IMPORT|AI_RATE|SEARCH|"
        r"WEB|KNOWLEDGE|UPLOAD|METRICS|EXPORT|TRUST)_[A-Z_]+)[=`]"
    )
    # A pattern with a part to fill in, and names of the settings module that are no variables.
    others = {"PROVIDER_", "PLATFORM_KEYS", "LEADAGENT_CHAOS", "LEADAGENT_FUZZ", "PROVIDER_URLS"}
    named = {name for document in DOCUMENTS for name in ours.findall(document.read_text())}
    assert len(named) > 15
    assert named - set(example_lines()) - others == set()
