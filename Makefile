# Everything runs in .venv, which is made from the lock files by the first target that needs it.
PYTHON ?= python3
BIN := .venv/bin
# What `make base` reads: annotated news, and a folder of pretrained weights as sentence-transformers publishes them.
SHARED ?= ../shared
WEIGHTS ?= weights/all-mpnet-base-v2
SMALL_WEIGHTS ?= weights/all-MiniLM-L6-v2
ANNOTATED := --annotated $(SHARED)/real/coded.jsonl --other $(SHARED)/real/other.jsonl --uncoded $(SHARED)/real/uncoded.jsonl.gz

.DEFAULT_GOAL := help
.PHONY: help serve demo test test-full check base article-scores figures quality quality-news benchmarks retraining-curve simulation latency screenshots dashboard-speed bench interop soak fuzz audit sbom lock wheel clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST)

.venv/serve: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/test: .venv/serve requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

serve: .venv/serve  ## Install, register the shipped model if there is none, serve on http://127.0.0.1:8000
	$(BIN)/framing train --if-no-champion
	$(BIN)/framing serve

demo: .venv/serve  ## Fill demo-data/ with made-up articles and annotations, serve it on http://127.0.0.1:8000
	FRAMING_DATA_DIR=demo-data $(BIN)/framing train --if-no-champion
	test -e demo-data/framing.sqlite3 || FRAMING_DATA_DIR=demo-data $(BIN)/framing demo
	FRAMING_DATA_DIR=demo-data $(BIN)/framing serve

test: check  ## Install, then lint, type-check and test everything
	$(BIN)/python -m pytest

test-full: check  ## Like test, with the long forms of tests that get better with time
	FRAMING_TESTS_FULL=1 $(BIN)/python -m pytest

check: .venv/test  ## Lint, formatting, types, and that imports go down only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

base: .venv/serve  ## Make the base models from annotated news in SHARED: hours on two cores; WEIGHTS, SMALL_WEIGHTS are pretrained
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[finetune]'
	$(BIN)/framing make-base --pretrained $(WEIGHTS) $(ANNOTATED) --to training/base/encoder
	$(BIN)/framing make-base --kind encoder-small --pretrained $(SMALL_WEIGHTS) --teacher training/base/encoder $(ANNOTATED) --work base-work-small --to training/base/encoder-small
	$(BIN)/framing make-base --kind words --teacher training/base/encoder $(ANNOTATED) --work base-work-words --to training/base/words
	$(MAKE) article-scores

article-scores: .venv/serve  ## Fit how the models score whole articles: minutes, or seconds once vectors are stored in base-work
	for kind in encoder encoder-small words; do $(BIN)/framing make-article-score --news $(SHARED)/real/coded.jsonl --news $(SHARED)/real/uncoded.jsonl.gz --to training/base/$$kind || exit 1; done
	$(BIN)/framing make-article-score --to training/base/article.json

figures: .venv/serve  ## Write docs/evaluation.md: every frame and source
	$(BIN)/framing evaluate --markdown docs/evaluation.md --html reports/evaluation.html

quality: .venv/test figures  ## Write docs/quality.md: how good scores are on sources that the model never saw
	$(BIN)/python -m benchmarks.quality.document --write

quality-news: .venv/test  ## Write only the sections of docs/quality.md that the encoders decide: an hour, or minutes once vectors are stored
	$(BIN)/python -m benchmarks.quality.document news learning codebook --write

benchmarks: .venv/test  ## Print this product beside the literature on the Gun Violence Frame Corpus
	$(BIN)/python -m benchmarks.quality.gun_violence

retraining-curve: .venv/test  ## Write docs/retraining-curve.md: how a model gets better with annotations sent over HTTP
	$(BIN)/python -m benchmarks.quality.retraining_curve --write

simulation: .venv/test  ## Write docs/simulation.md: how often corrected shares are right while a model is retrained (about 40 minutes)
	$(BIN)/python -m benchmarks.quality.loop --write

latency: .venv/test  ## Write docs/latency-during-training.md: how much a training run slows classification
	$(BIN)/python -m benchmarks.speed.latency_during_training --write

lock: .venv/test  ## Update and pin all dependencies, with hashes and without naming an index
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml --extra cluster --extra s3 --extra skops --group build -c requirements.lock -o requirements-all.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml --extra cluster --extra s3 --extra skops --group dev -c requirements.lock -o requirements-dev.lock

screenshots: .venv/test  ## Take pictures of every page, width and theme into screenshots/ (index.html shows them), with Debian's Chromium
	$(BIN)/python -m tests.support.screenshots screenshots

dashboard-speed: .venv/test  ## Write docs/dashboard-speed.md: pages and charts on 100,000 articles
	$(BIN)/python -m benchmarks.speed.dashboard_speed --write

bench: .venv/test  ## Write docs/performance.md: speed and size, beside other servers of the same model
	$(BIN)/python -m benchmarks.speed.performance --write

interop: .venv/test  ## Try our files with the own code of Label Studio, Argilla, Potato and doccano, each in an environment of its own, and in R
	$(BIN)/python -m tests.support.interop

soak: .venv/test  ## Write docs/reliability.md and docs/amounts.md: faults and large amounts, about an hour and a half
	$(BIN)/python -m benchmarks.speed.reliability --write
	$(BIN)/python -m benchmarks.speed.amounts --write

fuzz: .venv/test  ## Fuzz every parser of untrusted input, guided by coverage, a minute each
	$(BIN)/python -m tests.support.fuzzing

audit: .venv/test  ## Look up known vulnerabilities of the locked packages, or list the packages for review when offline
	$(BIN)/python .ci/audit.py

sbom: .venv/test  ## Write dist/sbom.json (CycloneDX) from the lock file
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --output-reproducible --output-file dist/sbom.json

wheel: .venv/test  ## Build the source distribution and the wheel into dist/
	$(BIN)/python -m build --no-isolation

clean:  ## Remove the environment and everything built; data/ stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis reports
