"""A second codebook, about weather in the news, with invented annotated paragraphs."""

from labels.annotations import Annotation, CodedParagraph, Stance

WEATHER = """
name = "Weather in the news"
version = 2
[[frames]]
key = "rain"
title = "Rain"
definition = "It rains."
[[frames]]
key = "sun"
title = "Sun"
definition = "It shines."
[[frames]]
key = "storm"
title = "Storm"
definition = "It storms."
"""
_SENTENCES = {
    "rain": ["rain fell on the hills", "showers soaked the fair", "a wet drizzle all day"],
    "sun": ["the sun shone brightly", "a bright warm morning", "clear skies and sunshine"],
    "storm": ["a storm tore the roofs", "gales felled the trees", "thunder and wild wind"],
    None: ["the mayor opened a school", "shares were little changed", "the museum bought a clock"],
}


def weather(articles: int = 60) -> list[CodedParagraph]:
    """Articles of four paragraphs, each frame in a paragraph and the last without any, by two coders who agree."""
    paragraphs = []
    for number in range(articles):
        for index, (frame, sentences) in enumerate(_SENTENCES.items()):
            text = f"{sentences[number % 3]} in town number {number % 7}, people said"
            frames: dict[str, Stance] = {} if frame is None else {frame: "present"}
            annotations = (Annotation("ann", frames), Annotation("ben", frames))
            paragraphs.append(CodedParagraph(f"w{number}", index, f"paper-{number % 4}", text, annotations))
    return paragraphs
