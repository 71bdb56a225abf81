"""The service: speaks HTTP, remembers articles and scores, offers the command line."""
