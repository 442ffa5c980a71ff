"""A real Kafka, a real mongod and the four services as plain processes on this machine."""
