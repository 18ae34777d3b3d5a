"""The stages of the pipeline: each reads records and writes records."""
