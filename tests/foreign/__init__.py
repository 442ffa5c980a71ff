"""Programs that are not ours and speak to Manyi: they know Kafka and CloudEvents, and nothing else of us."""
