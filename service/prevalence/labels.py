"""What coders say of stored paragraphs, and with what probability each of them came to be annotated."""

from collections.abc import Mapping

from sqlalchemy import Connection

from labels.annotations import shares_of
from service.prevalence.trained_on import is_trained_on
from service.store import annotations, prevalence
from service.store.prevalence import Population
from service.store.scores import Labelled
from training.model_card import ModelCard


def labelled_paragraphs(
    connection: Connection, population: Population, card: ModelCard
) -> Mapping[tuple[str, int], Labelled]:
    """The annotated paragraphs of a population, by article and paragraph."""
    codebook = population.known_frames
    drawn = {(unit.article_id, unit.paragraph): unit for unit in prevalence.drawn_paragraphs(connection, population)}
    labelled = {}
    for paragraph in annotations.coded_paragraphs(connection, codebook, adjudicated=True):
        place = (paragraph.article, paragraph.index)
        unit = drawn.get(place)
        labelled[place] = Labelled(
            labels=shares_of(paragraph.annotations, codebook.keys),
            inclusion_probability=None if unit is None else unit.inclusion.probability,
            corrects=unit is not None and not is_trained_on(card, unit),
        )
    return labelled
