"""Figures as documents: HTML, Markdown, LaTeX, model cards."""
