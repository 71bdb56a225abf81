"""Checks the Dockerfile against the rules of this project, as no engine is available to build it."""

import sys
from pathlib import Path


def faults(dockerfile: str) -> list[str]:
    """Returns the rules that are broken."""
    lines = [line.strip() for line in dockerfile.replace("\\\n", " ").splitlines()]
    steps = [line for line in lines if line and not line.startswith("#")]
    stages = [step for step in steps if step.startswith("FROM ")]
    last = steps[steps.index(stages[-1]) :] if stages else []
    checks = {
        "it has several stages": len(stages) > 1,
        "base images have a version": all(":" in stage.split()[1] for stage in stages),
        "the last stage runs as an ordinary user": any(s.startswith("USER ") and s != "USER root" for s in last),
        "there is a health check": any(s.startswith("HEALTHCHECK ") for s in last),
        "the start command is in exec form": any(s.startswith("CMD [") for s in last),
        "dependencies are installed by hash": any("--require-hashes" in s for s in steps),
        "the model is trained at build": any("framing train" in s for s in steps),
        "copied files exist": all(
            Path(source).exists()
            for step in steps
            if step.startswith("COPY ") and "--from" not in step
            for source in step.split()[1:-1]
        ),
    }
    return [f"{sentence}: no" for sentence, holds in checks.items() if not holds]


if __name__ == "__main__":
    sentences = faults(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("\n".join(sentences) or "The Dockerfile meets all requirements.")
    sys.exit(bool(sentences))
