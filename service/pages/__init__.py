"""The web pages: one module a page, their templates and their static files."""
