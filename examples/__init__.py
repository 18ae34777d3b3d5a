"""Bundled examples: functions with recorded pairs, and responses as a model would write them (`reexec demo`)."""
