"""`python -m demo`: a small pipeline, its lineage, and questions to it."""
