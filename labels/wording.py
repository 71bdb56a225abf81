"""Words that agree with a number, wherever a sentence counts something."""


def counted(number: int, noun: str, several: str = "") -> str:
    """A number with its noun: “1 paragraph”, “1,204 paragraphs”; `several` is a plural without s, such as “stories”."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"
