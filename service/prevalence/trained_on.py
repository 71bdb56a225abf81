"""Whether the score of an annotated paragraph shows how a model errs."""

from datetime import datetime

from service.store.prevalence import DrawnParagraph
from training.dataset import is_held_out
from training.model_card import ModelCard


def is_trained_on(card: ModelCard, paragraph: DrawnParagraph) -> bool:
    """Whether the score of the paragraph may be by a model that was trained on it, and does not show how it errs."""
    if card.folds is not None or not card.run or is_held_out(paragraph.article_id):
        return False
    return paragraph.first_coded_at <= datetime.fromisoformat(card.created_at)
