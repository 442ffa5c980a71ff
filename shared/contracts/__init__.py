"""The language between services: the envelope, one file per speaker, the intake types and the catalogue. Pure pydantic."""
