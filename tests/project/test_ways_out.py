"""Which modules can reach another machine: a new way out is looked at, and listed here with where it leads."""

import ast
from collections.abc import Iterator

from tests.project.files import ROOT

_LIBRARIES = frozenset(
    {"aiohttp", "ftplib", "http.client", "httpcore2", "httpx", "httpx2", "requests", "socket", "urllib.request", "urllib3"}
)  # fmt: skip

# To the operator's providers, on the transport that holds to their addresses.
TO_PROVIDERS = {
    "byok/calls/gate.py": "holds a request to its provider's address",
    "byok/calls/unmetered.py": "questions about keys, lists of models, the code for a key, on the shared connections",
    "byok/checking/probing.py": "reads what a metered call answers",
    "byok/providers/base.py": "the timeouts of SDK clients",
    "byok/wire.py": "the shared connections themselves",
}
# To the search service that the operator has chosen.
TO_THE_SEARCH_SERVICE = {
    f"leadagent/leads/research/search/{name}.py" for name in ("base", "brave", "searxng", "tavily")
}
# To wherever somebody else says, after a look at where that is.
TO_ANYWHERE = {"leadagent/egress/connection.py", "leadagent/egress/pages.py"}


def libraries_of(source: str) -> set[str]:
    """What a module imports of the libraries that reach other machines, types apart."""
    tree = ast.parse(source)
    for_types = (
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    )
    skipped = {id(inner) for node in for_types for inner in ast.walk(node)}
    found = set[str]()
    for node in ast.walk(tree):
        if id(node) not in skipped:
            found |= {name for name in _imported(node) if name in _LIBRARIES or name.partition(".")[0] in _LIBRARIES}
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module


def test_no_module_has_a_way_out_that_is_not_listed() -> None:
    ours = [path for app in ("byok", "usage", "leadagent") for path in (ROOT / app).glob("**/*.py")]
    # The sandbox is a server, and the embedded servers are on this machine.
    reached = {
        str(path.relative_to(ROOT))
        for path in ours
        if not {"sandbox", "embedded"} & set(path.parts) and libraries_of(path.read_text())
    }
    assert reached == {*TO_PROVIDERS, *TO_THE_SEARCH_SERVICE, *TO_ANYWHERE}


def test_a_way_out_is_found() -> None:
    assert libraries_of("def look():\n    import httpx2\n") == {"httpx2"}
    assert libraries_of("from urllib.request import urlopen\n") == {"urllib.request"}
    assert libraries_of("if TYPE_CHECKING:\n    import httpx2\n") == set()
