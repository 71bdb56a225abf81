"""Files as people have them: their encoding, the dialect of tables, JSON Lines, PDF, Word documents, archives.

Whatever reads files uses these modules. They raise `FileError`, a sentence about the file, which the caller names.
"""
