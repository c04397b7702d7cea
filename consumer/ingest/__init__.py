"""From messages to rows: batch.py looks at the bytes, parse.sql at the JSON, merge.sql changes the tables."""
