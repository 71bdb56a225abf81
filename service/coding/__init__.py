"""What coders do: annotate, receive paragraphs, compare their decisions, exchange files."""
