"""Models as the service uses them: the champion in memory, answers, transfer between installations."""
