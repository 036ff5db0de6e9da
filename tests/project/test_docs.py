"""What the documents point to exists."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.project.files import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def relative_links(document: Path) -> list[str]:
    """Targets inside the repository, without their anchors; code blocks hold no links."""
    text = re.sub(r"^\s*```.*?^\s*```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link.partition("#")[0] for link in targets if not re.match(r"[a-z]+:|#", link)]


def test_the_documents_are_there() -> None:
    names = {str(document.relative_to(ROOT)) for document in DOCUMENTS}
    assert {"README.md", "CHANGELOG.md", "CLAUDE.md", "docs/architecture.md", "docs/operations.md"} <= names
    assert len(relative_links(ROOT / "README.md")) > 10
    assert len(relative_links(ROOT / "docs/README.md")) > 15


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    missing = [link for link in relative_links(document) if not (document.parent / link).exists()]
    assert missing == []


def test_every_page_is_in_the_list_of_pages() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md") if page.parent.name != "adr"}
    assert pages - set(relative_links(ROOT / "docs/README.md")) == {"README.md"}


@pytest.mark.parametrize("adr", sorted(ROOT.glob("docs/adr/*.md")), ids=lambda adr: adr.stem)
def test_decisions_say_why_what_and_with_which_consequences(adr: Path) -> None:
    number = int(adr.name[:4])
    text = adr.read_text()
    assert text.startswith(f"# {number}. ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(adr.name[:4]) for adr in ROOT.glob("docs/adr/*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 6


def test_the_make_targets_of_the_readme_exist() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert {"run", "test"} <= named
    for target in sorted(named):
        dry_run = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
        assert dry_run.returncode == 0, dry_run.stderr
