"""Where this program may connect to; whatever connects to another machine comes through here."""
