"""The datasheet of annotated paragraphs: counts by frame, coder and source."""

from collections import Counter
from collections.abc import Sequence

from labels.annotations import SPECIFIED_STANCES, CodedParagraph
from labels.codebook import Codebook
from labels.gold import settle
from training.model_card import ModelCard
from training.registry.provenance import figures_hold_for, learned_from
from training.reports.tables import table


def datasheet(codebook: Codebook, paragraphs: Sequence[CodedParagraph], card: ModelCard) -> str:
    """Returns the datasheet as Markdown, after Gebru et al. (2021), "Datasheets for datasets".

    card: of the model that the report is about, which need not have learned from these paragraphs.
    """
    gold = settle(paragraphs, codebook)
    sources = Counter(p.source for p in paragraphs)
    coders = Counter(a.coder for p in paragraphs for a in p.annotations)
    frames = [
        [
            frame.key,
            str(sum(frame.key in g.frames for g in gold)),
            *(str(sum(g.stances.get(frame.key) == stance for g in gold)) for stance in SPECIFIED_STANCES),
        ]
        for frame in codebook.frames
    ]
    words = sum(len(p.text.split()) for p in paragraphs)
    none, tied = sum(not g.frames for g in gold), sum(bool(g.unsettled) for g in gold)
    sections = [
        "# Datasheet",
        f"{len(paragraphs):,} paragraphs of {len({p.article for p in paragraphs}):,} articles from {len(sources)} "
        f"sources, {words:,} words, coded by {len(coders)} coders for the codebook '{codebook.name}', version "
        f"{codebook.version}. {none:,} carry no frame; on {tied:,} the coders are tied.",
        table(["Frame", "Carry it", *SPECIFIED_STANCES], frames),
        table(["Coder", "Paragraphs"], [[name, f"{count:,}"] for name, count in coders.most_common()]),
        table(["Source", "Paragraphs"], [[name, f"{count:,}"] for name, count in sorted(sources.items())]),
        f"About model {card.version}: {learned_from(card)} {figures_hold_for(card)}",
        "How the texts were chosen, who the coders are and what they were paid, and what may be done with the data "
        "is for you to add (Gebru et al. 2021, Datasheets for datasets).",
    ]
    return "\n\n".join(sections) + "\n"
