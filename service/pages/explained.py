"""What the terms of the field mean, in two lines each, for the “?” beside them on the pages."""

from dataclasses import dataclass

from labels.agreement import RELIABLE, TENTATIVE

_DOCS = "https://github.com/media-framing/media-framing/blob/main/docs"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A term, two lines on it, and where to read more: a page of this server, or a document of the project."""

    name: str
    text: str
    link: str
    link_text: str


_EXPLANATIONS = {
    "corrected": Explanation(
        "Corrected share",
        "The model misses some frames and sees others that are not there. A corrected share removes these errors as "
        "far as coded paragraphs show them, and has a 95% interval.",
        f"{_DOCS}/prevalence.md#how-it-is-corrected",
        "How shares are corrected",
    ),
    "borrowed": Explanation(
        "Borrowed correction",
        "This period or outlet has too few coded paragraphs of its own, so it takes the correction of all of them "
        "together. That assumes that a score means the same everywhere.",
        f"{_DOCS}/prevalence.md#what-counts-as-an-annotation",
        "When a correction is borrowed",
    ),
    "tier": Explanation(
        "Reliability tier",
        f"How far the figures of a frame can be relied on, on your articles. A: the F1 of the model and the alpha of "
        f"the coders are at least {RELIABLE}; B: at least {TENTATIVE}; C: lower or unknown, a hint only.",
        f"{_DOCS}/prevalence.md#reliability-tiers",
        "How tiers are decided",
    ),
    "operating point": Explanation(
        "Operating point",
        "How high a score must be for a frame to count as present. High precision makes few false alarms and misses "
        "more; high recall misses little and makes more false alarms.",
        f"{_DOCS}/reading-answers.md#decision",
        "How decisions are made",
    ),
    "alpha": Explanation(
        "Krippendorff's alpha",
        f"How far coders agree beyond chance: 1 is full agreement, 0 is chance. {RELIABLE} and above is reliable, "
        f"{TENTATIVE} and above allows tentative conclusions.",
        "/codebook",
        "The alpha of each frame",
    ),
    "stance": Explanation(
        "Stance",
        "Who puts the frame forward. Advanced: the text itself. Reported: a source, which the text neither endorses "
        "nor rejects. Contested: the text denies or doubts the frame.",
        f"{_DOCS}/reading-answers.md#stance",
        "More about stances",
    ),
}

TERMS = tuple(_EXPLANATIONS)


def explanation_of(term: str) -> Explanation:
    """The explanation of a term; raises `KeyError` unless it is in `TERMS`, which is a mistake in a template."""
    return _EXPLANATIONS[term]
