"""Access: keys and their roles, sessions of the pages, rate limits, and the gate through which every request passes."""
