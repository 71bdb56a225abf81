"""Who may do what: keys and their roles, sessions of the pages, the gate that every route stands behind."""
