"""The language between services: envelope, one file per speaker, intake types, catalogue. Pure pydantic."""
