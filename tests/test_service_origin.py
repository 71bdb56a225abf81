"""Where requests may come from on servers with and without keys, their addresses, and the headers of every answer."""

import re
import socket

import pytest
from pydantic import SecretStr

from service.access.secrets import create_key
from service.settings import Settings, host_of
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import api_of, bearer
from tests.support.servers import running_server

LOCAL = ["127.0.0.1", "localhost", "LocalHost:9", "localhost.", "127.0.0.1:8000", "127.8.9.1", "[::1]", "[::1]:8000"]
STRANGE = [
    *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost"),
    *("127.0.0.1.nip.io", "0.0.0.0:8000", "[::]", "10.0.0.7", "169.254.169.254", "[fe80::1]", "testserver"),
    *("localhost@evil.example", "evil.example#localhost", "evil.example/localhost", "localhost evil.example"),
    *(
        "",
        ":8000",
        "127.0.0.1:80:90",
        "[::1",
        "::1",
        "127.0.0.1,evil.example",
        "localhost\\.evil.example",
        "localhost:x",
    ),
]
ADDRESSES = ["/v1/articles", "/v1/codebook", "/", "/sign-in", "/docs", "/openapi.json", "/static/style.css", "/nowhere"]
FORWARDED = [
    {"X-Forwarded-For": "192.0.2.1"},
    {"x-forwarded-host": "framing.example.org"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded": "for=192.0.2.1"},
    {"Forwarded": "for=192.0.2.1;proto=https"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "127.0.0.1"},
    {"X-Envoy-External-Address": "192.0.2.1"},
    {"CF-Connecting-IP": "192.0.2.1"},
    {"True-Client-IP": "192.0.2.1"},
    {"X-Forwarded-For": ""},
]


@pytest.fixture
def admin(database):
    with database.write() as connection:
        return bearer(create_key(connection, "mira", "admin").shown)


def test_a_server_without_keys_answers_to_the_names_of_this_machine_alone(settings):
    with api_of(settings) as client:
        for host in LOCAL:
            assert client.get("/v1/codebook", headers={"Host": host}).status_code == 200, host
        for host in STRANGE:
            for address in ADDRESSES:
                answer = client.get(address, headers={"Host": host})
                assert answer.status_code == 421, (host, address)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["type"] == "urn:framing:problem:misdirected"
                assert "FRAMING_ALLOWED_HOSTS" in answer.json()["detail"]
            sent = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}, headers={"Host": host})
            assert sent.status_code == 421
            assert client.delete(f"/v1/articles/{'0' * 32}", headers={"Host": host}).status_code == 421
            for probe in ("/livez", "/readyz"):
                assert client.get(probe, headers={"Host": host}).status_code == 200
        assert client.get("/v1/articles").json()["articles"] == []


def test_a_server_without_keys_answers_no_request_that_a_proxy_forwarded(settings):
    with api_of(settings) as client:
        for headers in FORWARDED:
            for address in ADDRESSES:
                answer = client.get(address, headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (403, "urn:framing:problem:forwarded"), headers
                assert "Make a key first" in answer.json()["detail"]
            assert client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}, headers=headers).status_code == 403
            assert client.get("/readyz", headers=headers).status_code == 200
        for origin in ("https://framing.example.org", "null", "http://evil.example:8000"):
            answer = client.get("/v1/codebook", headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"})
            assert answer.status_code == 403, origin


def test_over_a_socket_neither_two_hosts_nor_none_nor_a_proxy_of_http_1_0_get_an_answer(models_folder):
    with running_server(models_folder.parent) as (client, _):

        def status(request):
            with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as connection:
                connection.sendall(request.replace(b"\n", b"\r\n"))
                return int(re.match(rb"HTTP/1.\d (\d+)", connection.recv(65536))[1])

        line = b"GET /v1/codebook HTTP/1.1\n"
        close = b"Connection: close\n\n"
        assert status(line + b"Host: localhost\n" + close) == 200
        assert status(line + b"Host: localhost\nHost: evil.example\n" + close) in (400, 421)
        assert status(line + b"Host: evil.example\nHost: localhost\n" + close) in (400, 421)
        assert status(line + close) in (400, 421)
        assert status(b"GET http://localhost/v1/codebook HTTP/1.1\nHost: evil.example\n" + close) in (400, 421)
        # As nginx forwards to a server by default.
        assert status(b"GET /v1/codebook HTTP/1.0\nHost: 127.0.0.1:8000\nConnection: close\n\n") == 403
        assert status(b"GET /livez HTTP/1.0\n\n") == 200


def test_with_keys_every_name_is_answered_unless_the_settings_list_names(settings, admin):
    with api_of(settings) as client:
        for host in ("evil.example", "10.0.0.7:8000", "framing.example.org"):
            assert client.get("/v1/codebook", headers={**admin, "Host": host}).status_code == 200
            assert client.get("/v1/codebook", headers={"Host": host}).status_code == 401
        forwarded = {**admin, "X-Forwarded-For": "192.0.2.1"}
        assert client.get("/v1/codebook", headers=forwarded).status_code == 200
    with api_of(settings, allowed_hosts=("framing.example.org", "2001:db8::1")) as client:
        for host in ("framing.example.org", "Framing.Example.org:443", "framing.example.org.", "[2001:db8::1]", *LOCAL):
            assert client.get("/v1/codebook", headers={**admin, "Host": host}).status_code == 200, host
        for host in STRANGE:
            for address in ADDRESSES:
                assert client.get(address, headers={**admin, "Host": host}).status_code == 421, (host, address)
            assert client.get("/readyz", headers={"Host": host}).status_code == 200


def test_without_keys_a_listed_name_is_answered_too_but_no_proxy(settings):
    with api_of(settings, allowed_hosts=("framing.test",)) as client:
        own = {"Host": "framing.test:8000"}
        assert client.get("/v1/codebook", headers=own).status_code == 200
        assert client.get("/v1/codebook", headers={**own, "Origin": "http://framing.test:8000"}).status_code == 200
        assert client.get("/v1/codebook", headers={**own, "Via": "1.1 proxy"}).status_code == 403
        assert client.get("/v1/codebook", headers={"Host": "evil.test"}).status_code == 421


def test_names_and_proxies_are_read_from_the_environment_and_wrong_ones_are_explained(monkeypatch):
    monkeypatch.setenv("FRAMING_ALLOWED_HOSTS", "Framing.example.org, [2001:DB8::1],10.0.0.7.")
    monkeypatch.setenv("FRAMING_TRUSTED_PROXIES", "192.0.2.7, 10.0.0.0/8,::1")
    settings = Settings()
    assert settings.allowed_hosts == ("framing.example.org", "2001:db8::1", "10.0.0.7")
    assert settings.trusted_proxies == ("192.0.2.7", "10.0.0.0/8", "::1")
    for name in ("https://framing.example.org", "framing.example.org:443", "*", "*.example.org", "a b", "[::1]:8000"):
        monkeypatch.setenv("FRAMING_ALLOWED_HOSTS", name)
        with pytest.raises(ValueError, match="is not the name of a host"):
            Settings()
    monkeypatch.setenv("FRAMING_ALLOWED_HOSTS", "")
    for place in ("https://models.example.org/m", "ftp://models.example.org/m", "simplecache::s3://bucket/m"):
        monkeypatch.setenv("FRAMING_MODELS_URL", place)
        with pytest.raises(ValueError, match="is not a place for files that are shared"):
            Settings()
    monkeypatch.setenv("FRAMING_MODELS_URL", "")
    for address in ("*", "proxy.example.org", "10.0.0.1/8"):
        monkeypatch.setenv("FRAMING_TRUSTED_PROXIES", address)
        with pytest.raises(ValueError, match="is not an address such as"):
            Settings()


def test_a_wrong_setting_is_named_by_the_variable_that_is_documented(framing, monkeypatch):
    refusals = [framing("settings", "--json", trusted_proxies="*")]
    with monkeypatch.context() as patch:
        patch.setenv("FORWARDED_ALLOW_IPS", "*")
        refusals.append(framing("settings", "--json"))
    for refused in refusals:
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("Error: FRAMING_TRUSTED_PROXIES: '*' is not an address such as")
        assert "FORWARDED_ALLOW_IPS" in refused.stderr
    for variable in ("admin_key", "model_key"):
        refused = framing("settings", "--json", **{variable: "k" * 31})
        assert refused.stderr.startswith(f"Error: FRAMING_{variable.upper()}: the key has 31 characters, and needs 32")
        assert "k" * 31 not in refused.stderr
        assert framing("settings", "--json", **{variable: "k" * 32}).returncode == 0


def test_a_host_is_read_to_its_end_or_not_at_all():
    assert [host_of(value) for value in ("a.b:1", "A.b.", "[::1]:2", "a_b", "1.2.3.4")] == [
        *("a.b", "a.b", "::1", "a_b", "1.2.3.4")
    ]
    assert {host_of(value) for value in ("a b", "a:b", "a/b", "a\n", "\na", "é", "a" * 300, "-", "[", "a@b")} == {""}


ANSWERS = [
    *(("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/docs")),
    *(("GET", "/docs/assets/swagger-ui.css"), ("GET", "/static/style.css"), ("GET", "/static/icon.svg")),
    *(("GET", "/assets/frames.css"), ("GET", "/"), ("GET", "/articles"), ("GET", "/models"), ("GET", "/sign-in")),
    *(("GET", "/v1/codebook"), ("GET", "/v1/articles"), ("GET", "/v1/prevalence"), ("GET", "/v1/scores?format=csv")),
    *(("GET", "/v1/audit/export"), ("GET", "/nowhere"), ("GET", "/v1/nowhere"), ("PUT", "/v1/articles")),
    *(("POST", "/v1/articles"), ("POST", "/v1/classify"), ("GET", "/v1/articles/"), ("GET", "/static/nothing.css")),
]


def test_every_answer_forbids_guessing_types_and_says_who_may_store_it(client):
    for method, address in ANSWERS:
        answer = client.request(method, address, follow_redirects=False)
        assert answer.headers["x-content-type-options"] == "nosniff", address
        assert answer.headers["referrer-policy"] == "same-origin", address
        assert answer.headers["cross-origin-resource-policy"] == "same-origin", address
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], address
        stored = answer.headers["cache-control"]
        allowed = ("no-cache", "private, no-cache") if "etag" in answer.headers else ("no-store", "no-cache")
        assert stored in allowed, (address, stored)
        assert stored == "no-store" or not address.startswith(("/v1/a", "/articles", "/models")), address
        for name in ("x-content-type-options", "cache-control", "content-security-policy"):
            assert len(answer.headers.get_list(name)) == 1, (address, name)
    again = {"If-None-Match": client.get("/static/style.css").headers["etag"]}
    unchanged = client.get("/static/style.css", headers=again)
    assert (unchanged.status_code, unchanged.headers["x-content-type-options"]) == (304, "nosniff")


def test_an_unexpected_error_and_a_refusal_have_these_headers_too(client, monkeypatch):
    monkeypatch.setattr(client.app.state.services.registry, "versions", lambda: 1 / 0)
    failed = client.get("/v1/models")
    assert (failed.status_code, failed.headers["content-type"]) == (500, "application/problem+json")
    refused = client.get("/v1/models", headers={"Host": "evil.example"})
    assert refused.status_code == 421
    for answer in (failed, refused, client.get("/v1/models", headers={"X-Long": "x" * 70_000})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "[", "a?b", "x\\y"])
def test_a_redirect_never_names_the_host_of_the_request(settings, admin, host):
    with api_of(settings) as client:
        for address in ("/v1/articles/", "/articles/", "/docs/", "/sign-in/?next=/models"):
            answer = client.get(address, headers={**admin, "Host": host})
            assert answer.status_code == 307, address
            location = answer.headers["location"]
            assert location == address.replace("/?", "?").removesuffix("/"), location
        for address in ("//evil.example/v1/articles/", "/\\evil.example/", "//evil.example/.."):
            answer = client.get(f"http://localhost{address}", headers={**admin, "Host": host})
            assert re.match(r"/(?![/\\])", answer.headers.get("location", "/")), address


def test_head_is_answered_like_get_without_a_body(settings, admin):
    with api_of(settings) as client:
        for method, address in ANSWERS:
            if method != "GET":
                continue
            full = client.get(address, headers=admin)
            head = client.head(address, headers=admin)
            assert (head.status_code, head.content) == (full.status_code, b""), address
            same = ("content-type", "cache-control", "content-security-policy")
            assert [head.headers.get(name) for name in same] == [full.headers.get(name) for name in same], address
        assert client.head("/models").status_code == 303
        assert client.head("/v1/codebook").status_code == 401
        assert client.head("/v1/classify", headers=admin).status_code == 405


def test_a_browser_that_is_refused_is_answered_with_a_page_and_a_program_with_problem_details(client):
    for accept, kind in (("text/html,*/*;q=0.8", "text/html"), ("*/*", "application/problem+json")):
        answer = client.get("/models", headers={"Host": "evil.example", "Accept": accept})
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (421, kind)
        assert "FRAMING_ALLOWED_HOSTS" in answer.text


def test_head_is_counted_as_head_under_its_route(client):
    client.head("/v1/models/v1")
    lines = client.get("/metrics").text.splitlines()
    assert 'framing_http_requests_total{method="HEAD",route="/v1/models/{version}",status="200"} 1.0' in lines


def test_head_over_a_socket_sends_no_body_and_keeps_the_connection(models_folder):
    with running_server(models_folder.parent) as (client, _):
        for address in ("/", "/models", "/v1/codebook", "/static/style.css", "/livez"):
            head = client.head(address)
            assert (head.status_code, head.content) == (200, b""), address
            assert client.get("/livez").json() == {"status": "ok"}


@pytest.mark.parametrize("origin", ["http://[evil", "//[x]y", "http://[::1", "null", "http://a\u2100"])
def test_an_origin_that_no_browser_sends_is_another_site(settings, origin):
    headers = {"Origin": origin.encode()}
    with api_of(settings) as client:
        assert client.get("/v1/codebook", headers=headers).status_code == 403
    with api_of(settings.model_copy(update={"admin_key": SecretStr("a" * 40)})) as client:
        assert client.get("/v1/codebook", headers=headers).status_code == 403
        assert client.post("/sign-in", data={"key": "a" * 40}, headers=headers).status_code == 403


@pytest.mark.databases
def test_the_character_nul_in_an_address_is_refused_wherever_it_stands(settings):
    with api_of(settings) as client:
        for template, methods in client.get("/openapi.json").json()["paths"].items():
            for method in sorted(set(methods) & {"get", "delete"}):
                parameters = methods[method].get("parameters", [])
                filled = re.sub(r"\{[^}]*\}", "0" * 32, template)
                places = [re.sub(r"\{[^}]*\}", "a%00b", template)] if "{" in template else []
                places += [f"{filled}?{each['name']}=a%00b" for each in parameters if each["in"] == "query"]
                for place in places:
                    assert client.request(method, place).status_code in (404, 422), place
        for page in ("/?outlet=%00", "/coding?coder=%00", "/audit?action=%00"):
            assert client.get(page).status_code < 500, page
