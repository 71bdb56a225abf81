"""The work of coders: receiving paragraphs, annotating them, agreement, and files of other tools."""
