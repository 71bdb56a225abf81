"""The coding page as the server makes it: keys, what the operator allows, and what the coder annotated last."""

import json
import re
from collections import Counter

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.articles import THREE_PARAGRAPHS


@pytest.fixture
def page_with(tmp_path):
    """Makes the coding page of a server with other settings and without a model."""

    def page(**settings):
        with TestClient(create_app(Settings(data_dir=tmp_path, **settings))) as client:
            return client.get("/coding?coder=mira").text

    return page


def codebook_of(folder, frames):
    lines = ['name = "Many"', "version = 1"]
    for number in range(frames):
        lines += ["[[frames]]", f'key = "f{number}"', f'title = "Frame {number}"', 'definition = "A frame."']
    path = folder / "codebook.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(("frames", "keyed"), [(4, 4), (12, 12), (50, 26)])
def test_every_key_stands_for_a_single_command_or_frame(page_with, tmp_path, frames, keyed):
    page = page_with(codebook=codebook_of(tmp_path, frames))
    keys = Counter(re.findall(r'data-key="([^"]*)"', page))
    assert set(keys.values()) == {1}
    keys_of_frames = re.findall(r'data-frame="f\d+" data-key="(.)"', page)
    assert len(keys_of_frames) == keyed
    assert "".join(keys_of_frames[:10]) == "1234567890"[:frames]
    assert ("/" in keys) == (frames > 9)
    assert all(f"<kbd>{key}</kbd>" in page for key in keys)
    assert 'data-switch="words"' not in page  # the codebook has no concepts


@pytest.mark.parametrize(("setting", "offered"), [("after", True), ("before", True), ("never", False)])
def test_the_operator_decides_whether_the_models_decisions_can_be_shown(page_with, setting, offered):
    page = page_with(coding_guess=setting)
    assert f'data-guess="{setting}"' in page
    assert ('data-switch="guess"' in page) == offered


def recent(client, coder):
    page = client.get("/coding", params={"coder": coder}).text
    return json.loads(re.search(r'id="recent-annotations">(.*?)</script>', page).group(1))


def test_the_page_brings_the_latest_annotations_of_stored_paragraphs_with_their_text(client):
    article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "title": "Title", "outlet": "Courier"}).json()
    texts = [paragraph["text"] for paragraph in article["paragraphs"]]
    of_paragraph = {"article_id": article["id"], "frames": {}}
    client.post("/v1/annotations", json={"coder": "mira", "paragraph": 0, **of_paragraph})
    own = {"coder": "mira", "text": "A text of her own.", "source": "elsewhere", "frames": {}}
    client.post("/v1/annotations", json=own)
    decided = {"frames": {"foreign_hand": "reported"}, "note": "by a source", "unsure": True}
    client.post("/v1/annotations", json={"coder": "mira", "paragraph": 1, **of_paragraph, **decided})
    client.post("/v1/annotations", json={"coder": "mira", "role": "adjudicator", "paragraph": 2, **of_paragraph})
    client.post("/v1/annotations", json={"coder": "tomas", "paragraph": 2, **of_paragraph})
    latest, first = recent(client, "mira")
    assert (latest["text"], first["text"]) == (texts[1], texts[0])
    assert latest.items() >= {**decided, "title": "Title", "outlet": "Courier", "paragraph": 1}.items()
    client.delete(f"/v1/annotations/{latest['id']}")
    assert [entry["paragraph"] for entry in recent(client, "mira")] == [0]
