"""Research: an agent that looks a lead up and writes a report that cites what it has read.

`agent` makes it, one module per family of tools gives it eyes (`crm`, `knowledge`, `web_search`, `web_pages`,
`tech_stack`), `links` says which pages it may open, `caps` when it has to stop, `journal` writes down what it
does and `trace` shows that. Its tools only read.
"""

from leadagent.leads.research.agent import Report, create_research_agent, research

__all__ = ["Report", "create_research_agent", "research"]
