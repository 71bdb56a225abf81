"""The web pages: a module per page, with templates and static files."""
