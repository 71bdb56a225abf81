"""Models in the service: the champion in memory, answers of the API, transfer between installations."""
