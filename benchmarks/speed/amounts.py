"""Much of everything at full length: writes docs/amounts.md, about half an hour on a machine that does nothing else."""

from pathlib import Path

from benchmarks.documents import arguments, publish, render
from benchmarks.speed.reliability import Fault, measure
from tests.support.endurance import endure
from tests.support.import_load import import_under_load
from tests.support.scale import many_annotations, many_keys
from training.reports.tables import table


def all_amounts(share: float) -> list[tuple[str, Fault]]:
    """What a service may have much of, each with its description; a share of 1 is full length."""
    return [
        (
            "a mixed load of words that never occur twice",
            lambda folder, progress: endure(folder, 600 * share, progress),
        ),
        ("keys", lambda folder, progress: many_keys(folder, int(10_000 * share), progress)),
        ("annotations", lambda folder, progress: many_annotations(folder, int(1_000_000 * share), progress)),
        (
            "a file of annotations imported twice while others store and read articles",
            lambda folder, progress: import_under_load(folder, int(100_000 * share), progress),
        ),
    ]


def main() -> None:
    """Prints the document."""
    parser = arguments(__doc__, "benchmarks.speed.amounts --share 0.1")
    parser.add_argument("--share", type=float, default=1.0, help="share of the full amounts")
    parser.add_argument("--write", action="store_true", help="write docs/amounts.md")
    options = parser.parse_args()
    rows = measure(all_amounts(options.share), at_once=1)  # their times count
    text = render(Path(__file__).with_name("amounts.md.jinja"), amounts=table(["amount", "result"], rows))
    publish(text, "amounts.md", write=options.write)


if __name__ == "__main__":
    main()
