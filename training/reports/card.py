"""A model card to read: Markdown made from `card.json` and nothing else."""

from collections.abc import Sequence

from training.evaluation import Evaluation, Figure, StanceFigures
from training.registry.card import ModelCard
from training.scoring.operating_points import Cut

_USES = """\
Finding and counting frames in news about political violence (or whatever its codebook defines), paragraph by paragraph,
with a person looking at what matters. Scores are calibrated; decisions may be "uncertain" and should then be read."""

_LIMITS = """\
- It knows words, not arguments: irony, metaphor and long inference escape it.
- It was judged on sources left out of training; writing unlike all of them can be judged worse than the figures say.
- A frame in a paragraph says how the violence is told, not what is true, and not who is right.
- Not for decisions about people, and not for single paragraphs without a reader."""


def card_to_markdown(card: ModelCard) -> str:
    """The card as Markdown, with the YAML head that model hubs read."""
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
        "## Made with",
        _made_with(card),
    ]
    return "\n\n".join(sections) + "\n"


def figure_text(figure: Figure) -> str:
    """A figure with its interval, or a dash where it is undefined."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _head(card: ModelCard) -> str:
    languages = "".join(f"\n- {code}" for code in card.languages)
    return f"---\nlanguage:{languages}\nlibrary_name: sklearn\ntags:\n- news-framing\n- multi-label\n---"


def _data(card: ModelCard) -> str:
    data = card.data
    rows = [
        [card.frames[frame], str(count), _alpha(card.agreement.get(frame))] for frame, count in data.carrying.items()
    ]
    return (
        f"{data.paragraphs:,} paragraphs of {data.articles:,} articles from {len(data.sources)} sources; "
        f"{data.held_out_articles} more articles are held out for judging; {data.unsettled} paragraphs were left out "
        f"because their coders are tied. Digest of the annotations: `{data.digest}`.\n\n"
        + table(["Frame", "Paragraphs that carry it", "Krippendorff's alpha"], rows)
    )


def _alpha(alpha: float | None) -> str:
    return "undefined" if alpha is None else f"{alpha:.2f}"


FIGURES_HEAD = ["Frame", "Support", "Precision", "Recall", "F1", "Average precision", "ECE"]


def figures_rows(evaluation: Evaluation) -> list[list[str]]:
    """Cells under `FIGURES_HEAD`: a row a frame, then macro and micro."""
    rows = [
        [f.frame, str(f.support), *map(figure_text, (f.precision, f.recall, f.f1, f.average_precision)), f"{f.ece:.3f}"]
        for f in evaluation.frames
    ]
    macro, micro = evaluation.macro, evaluation.micro
    ap = figure_text(evaluation.macro_average_precision)
    return [
        *rows,
        ["macro", "", *map(figure_text, (macro.precision, macro.recall, macro.f1)), ap, f"{evaluation.ece:.3f}"],
        ["micro", "", *map(figure_text, (micro.precision, micro.recall, micro.f1)), "", ""],
    ]


def figures_table(evaluation: Evaluation) -> str:
    """Figures a frame, macro and micro, with their intervals."""
    return (
        f"{evaluation.paragraphs:,} paragraphs of {evaluation.articles:,} articles, at the balanced operating point; "
        "95% intervals by bootstrap over articles.\n\n" + table(FIGURES_HEAD, figures_rows(evaluation))
    )


def stances_table(figures: StanceFigures) -> str:
    """How well the stances of frames that are present are told apart, beside the commonest stance of each frame."""
    return (
        f"{figures.overall.how}: {figures.overall.paragraphs:,} frames of paragraphs that carry them; 95% intervals by "
        "bootstrap over articles.\n\n" + table(STANCES_HEAD, stances_rows(figures))
    )


BASELINES_HEAD = ["What decides", "Macro F1", "Micro F1"]
STANCES_HEAD = ["Frame", "Advanced / reported / contested", "Macro F1 over stances", "ECE"]


def stances_rows(figures: StanceFigures) -> list[list[str]]:
    """Cells under `STANCES_HEAD`: a row a frame, all frames, and all frames by the commonest stance of each."""
    rows = [_stance_row(frame, evaluation) for frame, evaluation in figures.frames.items()]
    return [*rows, _stance_row("all frames", figures.overall), _stance_row("the commonest stance", figures.majority)]


def _stance_row(name: str, evaluation: Evaluation) -> list[str]:
    support = " / ".join(str(stance.support) for stance in evaluation.frames)
    return [name, support, figure_text(evaluation.macro.f1), f"{evaluation.ece:.3f}"]


def _baselines(card: ModelCard) -> str:
    where = "On the held-out articles" if card.held_out else "On articles left out"
    rows = baselines_rows(card.baselines, card.held_out or card.left_out)
    return table([where, *BASELINES_HEAD[1:]], rows)


def baselines_rows(baselines: Sequence[Evaluation], model: Evaluation) -> list[list[str]]:
    """Cells under `BASELINES_HEAD`: a row a baseline, then the model itself on the same paragraphs."""
    judged = [*((baseline.how, baseline) for baseline in baselines), ("this model", model)]
    return [[name, figure_text(one.macro.f1), figure_text(one.micro.f1)] for name, one in judged]


def reliability_table(evaluation: Evaluation) -> str:
    """Paragraphs by score, and how many of them carry the frame."""
    rows = [
        [
            figures.frame,
            f"{row.low:.1f} to {row.high:.1f}",
            str(row.paragraphs),
            f"{row.mean_score:.2f}",
            f"{row.share:.2f}",
        ]
        for figures in evaluation.frames
        for row in figures.reliability
    ]
    return table(["Frame", "Score", "Paragraphs", "Mean score", "Share that carries it"], rows)


def _operating_points(card: ModelCard) -> str:
    rows = [[point, frame, *_cut(cut)] for point, cuts in card.cuts.items() for frame, cut in cuts.items()]
    return (
        "Present from the upper limit up, absent below the lower one, uncertain between. By split conformal "
        "prediction, at most the stated share of paragraphs that carry a frame is called absent, and of those that do "
        "not, present, for paragraphs like those of the sources left out.\n\n"
        + table(
            [
                "Point",
                "Frame",
                "Absent below",
                "Present from",
                "Precision",
                "Recall",
                "Missed at most",
                "False alarm at most",
            ],
            rows,
        )
    )


def _cut(cut: Cut) -> list[str]:
    present = "never (no threshold is precise enough)" if cut.present_from is None else f"{cut.present_from:.3f}"
    shares = ["–" if share is None else f"{share:.2f}" for share in (cut.precision, cut.recall)]
    return [f"{cut.absent_below:.3f}", present, *shares, f"{cut.max_missed:.0%}", f"{cut.max_false_alarm:.0%}"]


def _made_with(card: ModelCard) -> str:
    facts = {
        **card.libraries,
        **{name: str(value) for name, value in card.hyperparameters.items()},
        "seed": str(card.seed),
        "pipeline.joblib SHA-256": f"`{card.pipeline_sha256}`",
    }
    return table(["", ""], [[name, value] for name, value in facts.items()])


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
