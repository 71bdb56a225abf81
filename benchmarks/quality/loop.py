"""How often corrected shares are right while a model learns from the annotations that correct it: docs/simulation.md.

The loop of `tests.support.annotation_loop` is run on simulated news with known shares, many times.
"""

from pathlib import Path

from benchmarks.documents import arguments, publish, render
from tests.support.annotation_loop import UNITS, Plan
from tests.support.coverage import BY_HEART, HEAD, Coverage, band, measure
from tests.support.simulated_news import FRAMES
from training.reports.tables import table


def document(coverage: Coverage, by_heart: Coverage, plan: Plan) -> str:
    """The text of docs/simulation.md."""
    head, repetitions = ["Week", *coverage.looks], len(coverage.outcomes)
    low, high = band(repetitions * len(FRAMES), plan.weeks)
    return render(
        Path(__file__).with_name("simulation.md.jinja"),
        plan=plan,
        repetitions=f"{repetitions:,}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        all=table(HEAD, coverage.rows()),
        by_heart=table(HEAD, by_heart.rows()),
        by_heart_plan=BY_HEART,
        **{unit: table(head, coverage.by_week(place)) for place, unit in enumerate(UNITS)},
    )


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.loop --repetitions 100")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--write", action="store_true", help="write docs/simulation.md")
    options = parser.parse_args()
    plan = Plan()
    coverage, by_heart = (measure(each, options.repetitions, options.jobs) for each in (plan, BY_HEART))
    publish(document(coverage, by_heart, plan), "simulation.md", write=options.write)


if __name__ == "__main__":
    main()
