"""Requests and answers of the API, a module per subject. Layers below this package do not use pydantic."""
