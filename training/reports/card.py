"""The model card as Markdown, made from `card.json` and nothing else."""

from training.model_card import EncoderFacts, ModelCard
from training.registry.provenance import figures_hold_for, learned_from
from training.reports.tables import (
    BASELINES_HEAD,
    baselines_rows,
    figures_table,
    reliability_table,
    stances_table,
    table,
)
from training.scoring.article_score import ArticleFacts
from training.scoring.operating_points import Cut

_USES = """\
Finding and counting frames in news about political violence (or whatever its codebook defines), paragraph by paragraph,
with a person looking at what matters. Scores are calibrated; decisions may be "uncertain" and should then be read."""

_LIMITS = """\
- It knows words, not arguments: irony, metaphor and long inference escape it.
- It was judged on text that was left out of training; writing unlike that can be judged worse than the figures say.
- A frame in a paragraph describes how the violence is presented, not what is true, and not who is right.
- Not for decisions about people, and not for single paragraphs without a reader."""


_SCORED_FROM = {
    False: "arrays; nothing is unpickled",
    True: "a pickle, which can run any code: a process of its own opens it, and only where FRAMING_ALLOW_PICKLE is on "
    "and FRAMING_MODEL_KEY has signed it",
}
_CUT_HEAD = ["Absent below", "Present from", "Precision", "Recall", "Missed at most", "False alarm at most"]


def card_to_markdown(card: ModelCard) -> str:
    """Returns the card as Markdown, with the YAML head that model hubs read."""
    sections = [
        _head(card),
        f"# Framing model {card.version}",
        f"Codebook: {card.codebook_name}, version {card.codebook_version}. Trained {card.created_at}.",
        *([card.note] if card.note else []),
        "## Intended use",
        _USES,
        "## Limits",
        _LIMITS,
        "## Data",
        _data(card),
        *(f"**Warning:** {warning}" for warning in card.warnings),
        f"## Figures: {card.left_out.how}",
        figures_table(card.left_out),
        *(["## Figures: held-out articles", figures_table(card.held_out)] if card.held_out else []),
        *(["## Stances", stances_table(card.stances_left_out)] if card.stances_left_out else []),
        "## Baselines",
        _baselines(card),
        f"## Calibration ({card.left_out.how})",
        reliability_table(card.left_out),
        "## Operating points",
        _operating_points(card),
        "## Articles",
        _articles(card.article),
        "## Made with",
        _made_with(card),
    ]
    return "\n\n".join(sections) + "\n"


def _head(card: ModelCard) -> str:
    languages = "".join(f"\n- {code}" for code in card.languages)
    return f"---\nlanguage:{languages}\nlibrary_name: sklearn\ntags:\n- news-framing\n- multi-label\n---"


def _data(card: ModelCard) -> str:
    data = card.data
    rows = [
        [card.frames[frame], str(count), _alpha(card.agreement.get(frame))] for frame, count in data.carrying.items()
    ]
    return (
        f"{learned_from(card)} {figures_hold_for(card)}\n\n"
        f"{data.paragraphs:,} paragraphs of {data.articles:,} articles from {len(data.sources)} sources; "
        f"{data.held_out_articles} more articles are held out for judging; {data.unsettled} paragraphs were left out "
        f"because their coders are tied. Digest of the annotations: `{data.digest}`.\n\n"
        + table(["Frame", "Paragraphs that carry it", "Krippendorff's alpha"], rows)
    )


def _alpha(alpha: float | None) -> str:
    return "undefined" if alpha is None else f"{alpha:.2f}"


def _baselines(card: ModelCard) -> str:
    where = "On the held-out articles" if card.held_out else "On articles left out"
    rows = baselines_rows(card.baselines, card.held_out or card.left_out)
    return table([where, *BASELINES_HEAD[1:]], rows)


def _operating_points(card: ModelCard) -> str:
    rows = [[point, frame, *_cut(cut)] for point, cuts in card.cuts.items() for frame, cut in cuts.items()]
    return (
        "Present from the upper limit up, absent below the lower limit, uncertain between. By split conformal "
        "prediction, at most the stated share of paragraphs that carry a frame is called absent, and of those that do "
        "not, present, for paragraphs like those on which the model was calibrated.\n\n"
        + table(
            ["Point", "Frame", *_CUT_HEAD],
            rows,
        )
    )


def _articles(facts: ArticleFacts | None) -> str:
    if facts is None:
        return (
            "The score of an article is the highest of its paragraphs, and it is present where any paragraph is, else "
            "uncertain where any is."
        )
    return (
        "An article has a score and limits of its own, the same for all frames: the log-odds of its n paragraphs, "
        f"added up with power {facts.power:g} to L, give it the log-odds L (1 + {facts.sharpness:.3f} log n) − "
        f"{facts.accidents:.3f} log n. Fitted to {facts.articles:,} {facts.learned_from}. On such articles left out, "
        f"the calibration error is {facts.ece:.3f}; by chance alone, that of a calibrated score reaches "
        f"{facts.chance_ece:.3f}.\n\n"
        + table(["Point", *_CUT_HEAD], [[point, *_cut(cut)] for point, cut in facts.cuts.items()])
    )


def _cut(cut: Cut) -> list[str]:
    present = "never (no threshold is precise enough)" if cut.present_from is None else f"{cut.present_from:.3f}"
    shares = ["–" if share is None else f"{share:.2f}" for share in (cut.precision, cut.recall)]
    return [f"{cut.absent_below:.3f}", present, *shares, f"{cut.max_missed:.0%}", f"{cut.max_false_alarm:.0%}"]


def _made_with(card: ModelCard) -> str:
    facts = {
        **_encoder(card.encoder),
        **card.libraries,
        **{name: str(value) for name, value in card.hyperparameters.items()},
        "seed": str(card.seed),
        "pipeline.joblib SHA-256": f"`{card.pipeline_sha256}`",
        "scored from": _SCORED_FROM[card.is_pickle],
    }
    return table(["", ""], [[name, value] for name, value in facts.items()])


def _encoder(encoder: EncoderFacts | None) -> dict[str, str]:
    if encoder is None:
        return {}
    facts = {"encoder": f"{encoder.name}, `{encoder.digest}`"}
    if encoder.fine_tuned_from:
        facts["fine-tuned from"] = f"`{encoder.fine_tuned_from}` on {encoder.own_paragraphs:,} own paragraphs"
    return facts
