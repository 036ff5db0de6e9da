"""The tour of the product: pictures of its pages and the document that shows them, docs/tour.md.

`python -m tests.tour` takes the pictures again and writes the document; `make screenshots` calls it.
"""
