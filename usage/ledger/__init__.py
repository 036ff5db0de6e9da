"""From events to rows and daily sums that are kept true: ingest, repair, proof, months that come and go."""
