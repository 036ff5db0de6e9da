"""A search of the web, through the service that the operator has set up."""

from __future__ import annotations

import json
import logging

from leadagent.leads.research.links import Links
from leadagent.leads.research.search import SearchFailed, SearchProvider
from leadagent.leads.research.sources import Sources
from leadagent.leads.text import one_line

logger = logging.getLogger(__name__)

_LONGEST_QUERY = 200


def web_search(provider: SearchProvider, query: str, sources: Sources, links: Links) -> str:
    """The results as JSON; each may then be opened and cited. Sends the query to the search service, nothing else."""
    query = one_line(query, limit=_LONGEST_QUERY)
    if not query:
        return "Say what to search for."
    try:
        results = provider.search(query)
    except SearchFailed as failed:
        logger.warning("The search at %s failed: %s", provider.label, failed)
        again = "Do not search again in this run." if failed.permanent else "It may work later."
        return f"The web could not be searched: {failed} {again}"
    if not results:
        return "Nothing was found."
    links.add_results(result.url for result in results)
    return json.dumps(
        [
            {
                "source": sources.add("search", result.title, url=result.url),
                "title": result.title,
                "url": result.url,
                "excerpt": result.excerpt,
            }
            for result in results
        ],
        ensure_ascii=False,
    )
