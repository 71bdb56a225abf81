"""Invented annotated paragraphs, as many as a test wants."""

from labels.annotations import Annotation, CodedParagraph


def coded(count: int, frame: str = "foreign_hand", envoys: str = "Envoys of the zephyr league") -> list[CodedParagraph]:
    """Paragraphs of articles of four; every second blames some envoys and carries a frame."""
    return [
        CodedParagraph(
            f"article-{number // 4}",
            number % 4,
            "Courier",
            f"{envoys} paid for raid {number}." if number % 2 else f"A fair opened in town {number}.",
            (Annotation("mira", {frame: "reported"} if number % 2 else {}),),
        )
        for number in range(count)
    ]
