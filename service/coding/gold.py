"""Training of coders with gold items: mixed into the queue, answered once, and compared with the adjudicated label."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from labels.annotations import UNSPECIFIED, Annotation
from labels.codebook import Codebook
from service.errors import AnnotationError, NoSuchParagraphError, NotFoundError, require_frames
from service.schemas.assignments import (
    GoldAnswerRequest,
    GoldFeedback,
    GoldFrame,
    GoldItemAnswer,
    GoldItemRequest,
    GoldScore,
    GoldScoreOfFrame,
)
from service.store import annotations
from service.store.coding import assignments
from service.store.coding import gold as store
from service.store.coding.gold import GoldAnswer, GoldItem, Settled
from service.store.draws import AssignedParagraph

# After so many other paragraphs, a gold item follows.
_BETWEEN = 3


def make_gold(connection: Connection, request: GoldItemRequest, created_by: str) -> str:
    """Makes a settled paragraph a gold item and returns its id.

    Raises `NoSuchParagraphError`, or `AnnotationError` if nobody has settled it.
    """
    unit = annotations.article_unit(connection, request.article_id, request.paragraph)
    place = f"No article {request.article_id} with a paragraph {request.paragraph} is stored."
    if unit is None:
        raise NoSuchParagraphError(place, "article_id")
    if not store.is_settled(connection, unit.key):
        raise AnnotationError(
            f"Nobody has settled the paragraph {request.paragraph} of this article; a gold item has a settled label.",
            "paragraph",
        )
    return store.add(connection, unit, request.explanation, created_by)


def left_to_train(connection: Connection, coder: str) -> int:
    """Number of gold items that the running assignments of a coder still want answered."""
    wanting = [entry for entry in assignments.running(connection, coder) if entry.content.training]
    if not wanting:
        return 0
    answered = [moment for name, moment in store.answer_times(connection) if name == coder]
    return max(entry.training_left(answered) for entry in wanting)


def with_gold_items(
    connection: Connection, coder: str, tasks: Sequence[AssignedParagraph], limit: int
) -> list[AssignedParagraph]:
    """Up to `limit` paragraphs for a coder, with the gold items among them that the coder is still to answer."""
    left = left_to_train(connection, coder)
    items = store.tasks(connection, store.waiting_for(connection, coder)[:left]) if left else []
    mixed: list[AssignedParagraph] = []
    others = list(tasks)
    while others or items:
        # The first is a gold item: whoever begins learns from it at once.
        mixed += items[:1] + others[:_BETWEEN]
        items, others = items[1:], others[_BETWEEN:]
    return mixed[:limit]


@dataclass(frozen=True, slots=True)
class _Compared:
    """An answer beside the adjudicated label."""

    answer: Annotation
    label: Annotation

    def decided(self, codebook: Codebook) -> list[str]:
        """The frames that both decided about."""
        return [key for key in codebook.keys if self.answer.decides(key) and self.label.decides(key)]

    def is_right(self, frame: str) -> bool:
        return (frame in self.answer.frames) == (frame in self.label.frames)

    def is_all_right(self, codebook: Codebook) -> bool:
        return all(self.is_right(frame) for frame in self.decided(codebook))

    @property
    def stances(self) -> list[bool]:
        """Of the frames that both see with a specified stance, whether it is the same."""
        both = self.answer.frames.keys() & self.label.frames.keys()
        pairs = [(self.answer.frames[frame], self.label.frames[frame]) for frame in both]
        return [mine == settled for mine, settled in pairs if UNSPECIFIED not in (mine, settled)]


def answer_gold(
    connection: Connection, identifier: str, request: GoldAnswerRequest, codebook: Codebook
) -> GoldFeedback:
    """Stores what a coder answers to a gold item, and compares it with the label.

    The first answer counts: whoever answers again, perhaps because the network was lost, is answered as before. Raises
    `UnknownFrameError`, and `NotFoundError` for an item that is not there or has no label any longer.
    """
    require_frames(request.frames, codebook.keys, "frames/{frame}", owner="codebook")
    item = store.require(connection, identifier)
    labels = store.settled(connection, codebook)
    settled = labels.get(item.number)
    if settled is None:
        raise NotFoundError("The paragraph is not settled any longer, so there is no label to compare with.")
    counted = store.note_answer(connection, item, request.coder, request.frames, codebook)
    own = store.answers(connection, codebook, request.coder)
    answer = next(entry.label for entry in own if entry.item == item.number)
    [score] = _scores(own, labels, codebook)
    return _feedback(item, settled, _Compared(answer, settled.label), score, codebook, counted=counted)


def _feedback(
    item: GoldItem, settled: Settled, compared: _Compared, score: GoldScore, codebook: Codebook, *, counted: bool
) -> GoldFeedback:
    frames = [
        GoldFrame(
            frame=frame,
            yours=compared.answer.frames.get(frame),
            adjudicated=compared.label.frames.get(frame),
            right=compared.is_right(frame),
        )
        for frame in compared.decided(codebook)
        if frame in compared.answer.frames or frame in compared.label.frames
    ]
    return GoldFeedback(
        id=item.id,
        coder=score.coder,
        counted=counted,
        right=compared.is_all_right(codebook),
        frames=frames,
        note=settled.note,
        explanation=item.explanation,
        score=score,
    )


def gold_scores(connection: Connection, codebook: Codebook, coder: str | None = None) -> list[GoldScore]:
    """The scores of the coders who have answered gold items, or of `coder` alone, by name.

    Answers to items that have no label any longer are left out.
    """
    return _scores(store.answers(connection, codebook, coder), store.settled(connection, codebook), codebook)


def _scores(answers: Iterable[GoldAnswer], settled: Mapping[int, Settled], codebook: Codebook) -> list[GoldScore]:
    counted = [entry for entry in answers if entry.item in settled]
    by_name = groupby(sorted(counted, key=attrgetter("coder")), attrgetter("coder"))
    return [
        _score(name, [_Compared(entry.label, settled[entry.item].label) for entry in entries], codebook)
        for name, entries in by_name
    ]


def _score(coder: str, compared: Sequence[_Compared], codebook: Codebook) -> GoldScore:
    stances = [same for entry in compared for same in entry.stances]
    return GoldScore(
        coder=coder,
        answered=len(compared),
        right=sum(entry.is_all_right(codebook) for entry in compared),
        frames=[_score_of_frame(frame, compared, codebook) for frame in codebook.keys],
        stances=len(stances),
        stances_right=sum(stances),
    )


def _score_of_frame(frame: str, compared: Iterable[_Compared], codebook: Codebook) -> GoldScoreOfFrame:
    decided = [entry for entry in compared if frame in entry.decided(codebook)]
    wrong = [entry for entry in decided if not entry.is_right(frame)]
    missed = sum(frame in entry.label.frames for entry in wrong)
    return GoldScoreOfFrame(
        frame=frame,
        answered=len(decided),
        right=len(decided) - len(wrong),
        missed=missed,
        false_alarms=len(wrong) - missed,
    )


def gold_item_answers(connection: Connection, items: Sequence[GoldItem], codebook: Codebook) -> list[GoldItemAnswer]:
    """Gold items as the API returns them."""
    settled = store.settled(connection, codebook)
    rights: Mapping[int, list[bool]] = {item.number: [] for item in items}
    for entry in store.answers(connection, codebook):
        if entry.item in rights and entry.item in settled:
            rights[entry.item].append(_Compared(entry.label, settled[entry.item].label).is_all_right(codebook))
    return [
        GoldItemAnswer(
            id=item.id,
            article_id=item.article_id,
            paragraph=item.paragraph,
            text=item.text,
            frames=dict(settled[item.number].label.frames) if item.number in settled else None,
            note=settled[item.number].note if item.number in settled else "",
            explanation=item.explanation,
            answers=len(rights[item.number]),
            right=sum(rights[item.number]),
            created_by=item.created_by,
            created_at=item.created_at,
        )
        for item in items
    ]
