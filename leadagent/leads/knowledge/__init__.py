"""The organisation's knowledge base: documents cut into passages, found by meaning.

reading a file → `documents` (the text) → `chunking` (passages) → `embedding` (vectors) → `indexing`
(searchable) → `search`. `model_change` decides on another embedding model, `reembedding` brings it in while the old
vectors serve.
"""

from leadagent.leads.knowledge.documents import add_document_to_knowledge_base
from leadagent.leads.knowledge.embedding import generate_embedding
from leadagent.leads.knowledge.search import Found, Passage, find_passages, search_knowledge_base

__all__ = [
    "Found",
    "Passage",
    "add_document_to_knowledge_base",
    "find_passages",
    "generate_embedding",
    "search_knowledge_base",
]
