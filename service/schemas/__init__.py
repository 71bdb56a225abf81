"""What travels over HTTP, one module a subject; pydantic lives here and nowhere below."""
