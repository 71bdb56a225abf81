"""How a text as it comes is read: its lines, headings, sentences, and what it says about itself."""
