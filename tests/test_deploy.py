"""The Compose file and the Kubernetes manifests: checked by their linters, and run as processes."""

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from service.app import create_app
from service.metrics import Metrics
from service.settings import Settings
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import answers
from tests.support.paths import ROOT
from tests.support.servers import environment, free_port, stop
from tests.support.waiting import wait_until

COMPOSE = ROOT / "deploy" / "compose.yaml"
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
PROGRAM = "/opt/framing/bin/framing"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def objects():
    documents = [entry for path in MANIFESTS for entry in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [entry for entry in documents if entry["kind"] != "Kustomization"]


def test_the_compose_file_conforms_to_its_specification_and_to_its_linter(compose):
    assert set(PyCompose.from_json(json.dumps(compose)).service_names()) == {
        "postgres",
        "first-model",
        "server",
        "worker",
    }
    linted = subprocess.run(
        [Path(sys.executable).with_name("compose-lint"), COMPOSE], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_every_manifest_conforms_to_the_schema_of_kubernetes_and_is_applied(objects):
    for entry in objects:
        kubernetes_validate.validate(entry, "1.37", strict=True)
    kustomization = yaml.safe_load((MANIFESTS[0].parent / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in MANIFESTS}


def test_settings_images_and_commands_are_the_same_in_compose_and_kubernetes(compose, objects):
    ours = {name: service for name, service in compose["services"].items() if "build" in service}
    pods = {
        entry["metadata"]["name"]: entry["spec"]["template"]["spec"]
        for entry in objects
        if entry["kind"] in ("Deployment", "StatefulSet", "Job")
    }
    [settings] = [entry["data"] for entry in objects if entry["kind"] == "ConfigMap"]
    for name, service in ours.items():
        [container] = pods[name]["containers"]
        assert container["command"] == service["command"]
        assert container["image"] == service["image"].split(":")[0]
        known = {f"FRAMING_{field.upper()}" for field in Settings.model_fields}
        assert set(service["environment"]) <= known
        assert settings.items() <= service["environment"].items()
    [postgres] = pods["postgres"]["containers"]
    assert postgres["image"] == compose["services"]["postgres"]["image"]


def test_probes_use_existing_paths_and_the_autoscaler_an_existing_metric(objects):
    [server] = [entry for entry in objects if entry["kind"] == "Deployment" and entry["metadata"]["name"] == "server"]
    [container] = server["spec"]["template"]["spec"]["containers"]
    paths = set(create_app(Settings()).openapi()["paths"])
    probes = [container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {*probes, server["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]} <= paths
    [scaler] = [entry for entry in objects if entry["kind"] == "HorizontalPodAutoscaler"]
    [metric] = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in Metrics().exposition().decode()


@contextmanager
def as_process(service, folder, values):
    """A service of the Compose file as a process; `values` are settings in place of its network and volumes."""
    folder.mkdir(exist_ok=True)
    given = {name: value for name, value in service["environment"].items() if value is not None}  # others are passed on
    variables = {name.removeprefix("FRAMING_").lower(): value for name, value in given.items()}
    assert service["command"][0] == PROGRAM
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", *service["command"][1:]],
        cwd=folder,
        env=environment(**{**variables, **values, "data_dir": folder, "log_level": "warning"}),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        stop(process)


@pytest.mark.databases("postgresql")
def test_the_topology_of_the_compose_file_trains_serves_and_retrains(
    compose, database_url, tmp_path, part_of_the_corpus
):
    services = compose["services"]
    key = "the admin key of the composed service"
    values = {"database_url": database_url, "models_url": str(tmp_path / "models"), "admin_key": key}
    values["corpus"] = part_of_the_corpus
    with as_process(services["first-model"], tmp_path / "first", values) as first:
        assert first.wait(timeout=90) == 0
    with ExitStack() as stack:
        port = free_port()
        stack.enter_context(as_process(services["server"], tmp_path / "server", {**values, "port": str(port)}))
        stack.enter_context(as_process(services["worker"], tmp_path / "worker", values))
        client = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
        client.headers["Authorization"] = f"Bearer {key}"
        wait_until(lambda: answers(client, "/readyz"), "the server to be ready")
        assert httpx2.get(f"http://127.0.0.1:{port}/v1/models").status_code == 401
        assert client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).status_code == 201
        run = client.post("/v1/training-runs", json={"note": "as composed"}).json()["id"]
        wait_until(lambda: client.get(f"/v1/training-runs/{run}").json()["state"] == "succeeded", "the run to succeed")
        assert client.get("/v1/models").json()["models"][0]["version"] == "v2"
