"""What a page of another site can do to this service in its visitor's browser: a real browser, a real page, nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.access.secrets import create_key
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import chromium, needs_chromium
from tests.support.servers import running_server

pytestmark = needs_chromium
EVIL = "evil.example"

# Tries everything by which a page makes requests to another origin; returns what it could read.
ATTACK = """
async ([target, article]) => {
  const read = [];
  const body = JSON.stringify({text: 'An article that a page of another site wrote.', external_id: 'planted'});
  const annotation = JSON.stringify({coder: 'mallory', text: 'Planted.', source: 'x', frames: {}});
  const paths = ['/v1/articles', '/v1/codebook', `/v1/articles/${article}`, '/v1/models', '/models', '/docs',
                 '/openapi.json', '/metrics', '/v1/annotations', '/static/style.css', '/v1/scores?format=csv'];
  const attempts = [];
  const attempt = (name, promise) => attempts.push(Promise.race([
    promise.then((seen) => { if (seen) read.push([name, String(seen).slice(0, 200)]); }).catch(() => {}),
    new Promise((done) => setTimeout(done, 8000)),
  ]));
  const loaded = (element) => new Promise((done, failed) => {
    element.onload = () => done(element); element.onerror = failed; document.body.append(element);
  });
  for (const path of paths) {
    for (const credentials of ['include', 'omit']) {
      attempt(`fetch ${path}`, fetch(target + path, {credentials}).then((answer) => answer.text()));
      attempt(`no-cors ${path}`, fetch(target + path, {mode: 'no-cors', credentials}).then((answer) => answer.text()));
    }
    const image = new Image(); image.src = target + path;
    attempt(`image ${path}`, loaded(image).then(() => image.naturalWidth));
    const script = document.createElement('script'); script.src = target + path;
    attempt(`script ${path}`, loaded(script));
    const frame = document.createElement('iframe'); frame.src = target + path;
    attempt(`frame ${path}`, loaded(frame).then(() => frame.contentDocument && frame.contentDocument.body.innerText));
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    for (const [path, content] of [['/v1/articles', body], ['/v1/annotations', annotation],
                                   ['/v1/articles:batch', body], ['/v1/models/rollback', '{"reason": "x"}'],
                                   ['/v1/training-runs', '{}'], ['/v1/coding-queue', '{"coder": "mallory"}']]) {
      const options = {method: 'POST', mode: 'no-cors', credentials: 'include', body: content,
                       headers: {'Content-Type': type}};
      attempt(`post ${path}`, fetch(target + path, options).then((answer) => answer.text()));
      navigator.sendBeacon(target + path, new Blob([content], {type}));
      const name = `sink${Math.random()}`;
      const sink = document.createElement('iframe'); sink.name = name; document.body.append(sink);
      const form = document.createElement('form');
      Object.assign(form, {method: 'POST', action: target + path, enctype: type, target: name});
      const field = document.createElement('input');
      [field.name, field.value] = [content.slice(0, -1) + ',"note":"', '"}'];
      form.append(field); document.body.append(form); form.submit();
      attempt(`form ${path}`, new Promise((done) => setTimeout(done, 1500))
        .then(() => sink.contentDocument && sink.contentDocument.body.innerText));
    }
  }
  attempt('delete', fetch(`${target}/v1/articles/${article}`, {method: 'DELETE', credentials: 'include'}));
  const asJson = {method: 'POST', body, headers: {'Content-Type': 'application/json'}};
  attempt('json', fetch(`${target}/v1/articles`, asJson));
  attempt('sign out', fetch(`${target}/sign-out`, {method: 'POST', mode: 'no-cors', credentials: 'include'})
    .then((answer) => answer.text()));
  await Promise.all(attempts);
  return read;
}
"""

# The same from a page that the browser takes for one of the service itself, because its name now leads here.
REBOUND = """
async (article) => {
  const answers = [];
  const send = async (path, options) => {
    const answer = await fetch(path, options);
    answers.push([path, answer.status, await answer.text()]);
  };
  for (const path of ['/v1/articles', '/v1/codebook', `/v1/articles/${article}`, '/models', '/openapi.json',
                      '/static/style.css', '/sign-in', '/docs']) await send(path);
  const json = {'Content-Type': 'application/json'};
  const body = JSON.stringify({text: 'An article that a page of another site wrote.'});
  await send('/v1/articles', {method: 'POST', headers: json, body});
  await send('/v1/annotations', {method: 'POST', headers: json,
    body: JSON.stringify({coder: 'mallory', text: 'Planted.', source: 'x', frames: {}})});
  await send(`/v1/articles/${article}`, {method: 'DELETE'});
  return answers;
}
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Win a prize</title><body>")

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def other_site() -> Iterator[int]:
    """The port of a server with a page of somebody else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("with_keys", [False, True], ids=["without keys", "with a session"])
def test_a_page_of_another_site_can_neither_read_nor_write(models_folder, with_keys):
    headers, key = {}, ""
    if with_keys:
        database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
        database.migrate()
        with database.write() as connection:
            key = create_key(connection, "mira", "admin").shown
        database.close()
        headers = {"Authorization": f"Bearer {key}"}
    with running_server(models_folder.parent) as (client, _), other_site() as port, chromium(EVIL) as browser:
        client.headers.update(headers)
        target = str(client.base_url).rstrip("/")
        article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
        before = state_of(client)
        context = browser.new_context()
        if with_keys:
            own = context.new_page()
            own.goto(f"{target}/sign-in")
            own.get_by_label("Key").fill(key)
            with own.expect_navigation():
                own.get_by_role("button", name="Sign in").click()
            assert own.evaluate("fetch('/v1/articles').then((answer) => answer.status)") == 200
        statuses = []
        for address in (f"http://{EVIL}:{port}/", f"http://127.0.0.1:{port}/"):
            page = context.new_page()
            page.on(
                "response",
                lambda answer: statuses.append((answer.request.method, answer.url, answer.status)),
            )
            page.goto(address)
            assert page.evaluate(ATTACK, [target, article]) == []
            assert state_of(client) == before
        sent = [(method, status) for method, url, status in statuses if url.startswith(target)]
        # The browser did let it try.
        assert len([status for method, status in sent if method == "POST"]) > 20
        assert {status for method, status in sent if method == "POST"} <= {401, 403}
        if with_keys:
            assert own.evaluate("fetch('/v1/articles').then((answer) => answer.status)") == 200
        # A link from there is a visit, and works.
        page.goto(f"http://{EVIL}:{port}/")
        page.evaluate(f"const a = document.createElement('a'); a.href = '{target}/articles'; document.body.append(a)")
        with page.expect_navigation():
            page.evaluate("document.querySelector('a').click()")
        assert page.title() != "Win a prize"


def test_a_name_that_suddenly_leads_to_this_machine_gets_nothing(models_folder):
    with running_server(models_folder.parent) as (client, _), chromium(EVIL) as browser:
        article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
        before = state_of(client)
        rebound = f"http://{EVIL}:{client.base_url.port}"
        page = browser.new_page()
        page.route(
            f"{rebound}/prize", lambda route: route.fulfill(content_type="text/html", body="<title>Prize</title>")
        )
        page.goto(f"{rebound}/prize")
        answers = page.evaluate(REBOUND, article)
        assert len(answers) == 11
        for path, status, text in answers:
            assert status == 421, path
            assert "not known under the name" in text
        visit = page.goto(f"{rebound}/")
        assert visit is not None
        assert visit.status == 421
        assert state_of(client) == before


def state_of(client):
    """What a page could have changed: articles, annotations, runs, promotions, and the log of everything."""
    addresses = ("/v1/articles", "/v1/annotations", "/v1/training-runs", "/v1/models/history", "/v1/audit")
    return [client.get(address).json() for address in addresses]


def test_the_description_of_the_api_runs_its_own_scripts_and_no_others(models_folder):
    with running_server(models_folder.parent) as (client, _), chromium() as browser:
        page = browser.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{str(client.base_url).rstrip('/')}/docs")
        page.locator("#operations-health-livez_livez_get").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table").get_by_text('"ok"').wait_for()
        assert complaints == []
        page.evaluate(
            """() => {
                const script = document.createElement('script');
                script.textContent = "document.title = 'owned'";
                document.body.append(script);
                const image = document.createElement('div');
                image.innerHTML = `<img src=x onerror="document.title = 'owned'">`;
                document.body.append(image);
            }"""
        )
        page.wait_for_timeout(300)
        assert page.title() != "owned"
        assert len(complaints) >= 2
