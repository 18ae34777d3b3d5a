"""The pipeline's records: functions, predictions and turns, and the ids that tie them together."""
