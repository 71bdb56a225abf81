"""REFI-QDA 1.5: codebooks (`.qdc`) and projects (`.qdpx`), as MAXQDA, NVivo, ATLAS.ti and QualCoder exchange them.

In the words of the standard: a frame is a code with a child for each stance, a coder is a user, and an article is a
plain text source. A coder's annotation is a selection of the paragraph with a coding for each frame, or with a coding
of the code "no frame". What nobody coded is no annotation: a selection without codings is set aside.
"""

from labels.exchange.refi_qda.codebook import read_codebook, write_codebook
from labels.exchange.refi_qda.reading import read
from labels.exchange.refi_qda.writing import write

__all__ = ["read", "read_codebook", "write", "write_codebook"]
