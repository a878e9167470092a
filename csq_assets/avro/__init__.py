"""An Avro reader that refuses damage. It knows nothing of what the tables mean."""
