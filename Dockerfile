# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/framing
# requirements-all.lock adds the clients of S3 and of Dask.
ARG LOCK=requirements.lock
COPY requirements.lock requirements-all.lock ./
RUN /opt/framing/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r "$LOCK"
COPY pyproject.toml README.md LICENSE ./
COPY labels labels
COPY training training
COPY service service
# Kind of the model in the image: auto is the base model, words a much faster and less accurate one.
ARG KIND=auto
RUN /opt/framing/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && FRAMING_DATA_DIR=/data FRAMING_KIND="$KIND" /opt/framing/bin/framing train --if-no-champion

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data framing && install --directory --owner framing /models
COPY --from=build /opt/framing /opt/framing
COPY --from=build --chown=framing:framing /data /data
ENV FRAMING_DATA_DIR=/data \
    FRAMING_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
USER framing
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/opt/framing/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["/opt/framing/bin/framing", "serve"]
