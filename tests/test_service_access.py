"""Keys, roles, sessions, limits, and the log of actions."""

import hashlib
import itertools
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import delete, event, text, update
from sqlalchemy.exc import TimeoutError as NoConnectionError
from starlette.requests import Request

from service.access import limits
from service.access.gate import address_of
from service.access.secrets import create_key, new_key, read_key
from service.errors import OpenServerError
from service.jobs.training_run import _nothing_to_learn_from
from service.server import _require_key_beyond_loopback
from service.store import audit, keys, training_runs
from service.store.callers import COMMAND_LINE, ROLES
from service.store.sql.database import alembic_config
from service.store.tables import api_keys
from service.store.tables import audit as lines_of_audit
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import api_of, bearer
from tests.support.servers import running_server
from tests.support.waiting import wait_until

PUBLIC = {"/livez", "/readyz"}
ADMIN_KEY = "an admin key that is long enough to be valid"


@pytest.fixture
def api(settings, key_of):
    with api_of(settings) as client:
        yield client


def secret_of(shown):
    """The last part of a key, which may contain underscores."""
    return shown.split("_", 2)[2]


def operations(client):
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"\{\w+\}", lambda m: _EXAMPLES[m.group()], path), path, operation


_EXAMPLES = {"{id}": "0" * 32, "{version}": "v9"}


@pytest.mark.databases
def test_every_route_rejects_callers_without_a_key_and_with_a_lower_role(api, key_of):
    walked = 0
    for method, address, path, operation in operations(api):
        if path in PUBLIC:
            assert "security" not in operation
            assert api.request(method, address).status_code not in (401, 403)
            continue
        [[role]] = [scheme["key"] for scheme in operation["security"]]
        refused = api.request(method, address, content=b"{}")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path
        assert refused.json()["type"] == "urn:framing:problem:unauthorized"
        for other in ROLES:
            answer = api.request(method, address, content=b"{}", headers=bearer(key_of[other]))
            allowed = ROLES.index(other) >= ROLES.index(role)
            assert (answer.status_code == 403) is not allowed, (path, other, answer.text)
            assert answer.status_code != 401
            if answer.status_code >= 400:
                assert str(answer.status_code) in operation["responses"], (path, other, answer.text)
        walked += 1
    assert walked > 25


def test_pages_send_callers_without_a_key_to_sign_in_and_reject_lower_roles(api, key_of):
    roles = {"/": 0, "/classify": 1, "/articles": 0, "/coding": 2, "/models": 0, "/codebook": 0, "/audit": 3}
    for address, lowest in roles.items():
        sent = api.get(f"{address}?a=b")
        assert (sent.status_code, sent.headers["location"]) == (
            303,
            f"/sign-in?next={address.replace('/', '%2F')}%3Fa%3Db",
        )
        for place, role in enumerate(ROLES):
            answer = api.get(address, headers=bearer(key_of[role]))
            assert answer.status_code == (200 if place >= lowest else 403), (address, role)


def test_a_key_that_is_wrong_revoked_or_expired_is_rejected_within_seconds(settings, database):
    with database.write() as connection:
        works, old = create_key(connection, "a", "reader", 1), create_key(connection, "b", "reader", 1)
        connection.execute(
            update(api_keys).where(api_keys.c.id == old.id).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    other = new_key()
    wrong = [old.shown, other.shown, works.shown[:-1], works.shown + "x", "framing_", ""]
    wrong.append(f"framing_{works.id}_{other.shown.rsplit('_', 1)[-1]}")
    with api_of(settings) as client:
        assert client.get("/v1/codebook", headers=bearer(works.shown)).status_code == 200
        for shown in wrong:
            assert client.get("/v1/codebook", headers=bearer(shown)).status_code == 401, shown
        assert client.get("/v1/codebook", headers={"Authorization": f"Basic {works.shown}"}).status_code == 401
        assert client.get("/v1/codebook", params={"key": works.shown}).status_code == 401
        with database.write() as connection:
            keys.revoke(connection, works.id)
        deadline = time.monotonic() + 3
        while client.get("/v1/codebook", headers=bearer(works.shown)).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_keys_are_stored_as_hashes_and_their_use_is_recorded(settings, database, key_of):
    with api_of(settings) as client:
        assert client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code == 200
    with database.read() as connection:
        used = {key.name: key.last_used_at for key in keys.listing(connection)}
    assert used["reader"] is not None
    assert used["admin"] is None
    content = b"".join(path.read_bytes() for path in settings.data_dir.glob("framing.sqlite3*"))
    for shown in key_of.values():
        assert secret_of(shown).encode() not in content
        assert read_key(shown)[1].encode() in content


def test_a_coder_sees_and_changes_only_annotations_under_its_name(api, key_of, database):
    with database.write() as connection:
        mira, tom = (create_key(connection, name, "coder", None).shown for name in ("mira", "tom"))

    def annotate(coder, shown, **more):
        body = {"coder": coder, "text": "The army left.", "source": "radio", "frames": {}, **more}
        return api.post("/v1/annotations", json=body, headers=bearer(shown))

    [own] = annotate("mira", mira).json()["annotations"]
    assert annotate("mira", tom).status_code == 403
    assert annotate("tom", tom, role="adjudicator").status_code == 403
    assert annotate("tom", tom).status_code == 201
    assert annotate("mira", key_of["admin"], role="adjudicator").status_code == 201
    listed = api.get("/v1/annotations", headers=bearer(mira)).json()["annotations"]
    assert {a["coder"] for a in listed} == {"mira"}
    assert api.get("/v1/annotations", params={"coder": "tom"}, headers=bearer(mira)).status_code == 403
    assert len(api.get("/v1/annotations", headers=bearer(key_of["admin"])).json()["annotations"]) == 3
    exported = api.get("/v1/annotations/export", params={"format": "csv-long"}, headers=bearer(tom)).text
    assert "tom" in exported
    assert "mira" not in exported
    assert api.get("/v1/coding-queue", params={"coder": "tom"}, headers=bearer(mira)).status_code == 403
    assert api.post("/v1/coding-queue", json={"coder": "tom"}, headers=bearer(mira)).status_code == 403
    assert api.delete("/v1/coding-queue", params={"coder": "tom"}, headers=bearer(mira)).status_code == 403
    assert api.delete(f"/v1/annotations/{own['id']}", headers=bearer(tom)).status_code == 404
    assert api.delete(f"/v1/annotations/{own['id']}", headers=bearer(mira)).status_code == 204


def test_pages_and_api_accept_a_session_from_signing_in_until_signing_out(api, key_of):
    assert "no longer" not in api.get("/sign-in").text
    refused = api.post("/sign-in", data={"key": "framing_nonsense"})
    assert refused.status_code == 401
    assert "not known" in refused.text
    signed_in = api.post("/sign-in", data={"key": key_of["coder"], "next": "/coding"})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/coding")
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = api.get("/coding")
    assert "Sign out" in page.text
    assert 'data-coder="coder"' in page.text
    assert api.get("/v1/annotations").status_code == 200
    token = api.cookies["framing_session"]
    assert api.post("/sign-out").headers["location"] == "/sign-in"
    api.cookies.set("framing_session", token)
    assert api.get("/coding").status_code == 303


@pytest.mark.parametrize("address", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x"])
def test_nobody_is_sent_to_another_site_after_signing_in(api, key_of, address):
    answer = api.post("/sign-in", data={"key": key_of["reader"], "next": address})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_cannot_act_with_a_session_nor_on_an_open_server(settings, key_of, database, headers):
    with api_of(settings) as client:
        client.post("/sign-in", data={"key": key_of["admin"]})
        assert client.post("/v1/models/rollback", json={"reason": "x"}, headers=headers).status_code == 403
        assert client.post("/sign-in", data={"key": key_of["admin"]}, headers=headers).status_code == 403
        assert client.get("/v1/models", headers=headers).status_code == 403
        link = {**headers, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert client.get("/models", headers=link).status_code == (200 if "Sec-Fetch-Site" in headers else 403)
        frame = {**link, "Sec-Fetch-Dest": "iframe"}
        assert client.get("/models", headers=frame).status_code == 403
        with_key = {**headers, **bearer(key_of["submitter"])}
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}, headers=with_key).status_code == 200
    with database.write() as connection:
        for key in keys.unrevoked(connection):
            keys.revoke(connection, key)
        keys.open_access(connection)
    with api_of(settings) as client:
        assert client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}, headers=headers).status_code == 403
        assert client.get("/v1/articles", headers=headers).status_code == 403
        assert client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).status_code == 201


def test_without_a_key_only_loopback_is_served_and_an_expired_key_does_not_open_the_gate(settings, database):
    beyond = settings.model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(OpenServerError, match="no key exists,"):
        _require_key_beyond_loopback(beyond)
    _require_key_beyond_loopback(settings)
    _require_key_beyond_loopback(beyond.model_copy(update={"admin_key": "x"}))
    with api_of(settings, host="0.0.0.0") as client:
        assert client.get("/v1/codebook").status_code == 401
    with database.write() as connection:
        made = create_key(connection, "a", "reader", 1)
        connection.execute(update(api_keys).values(expires_at=datetime.now(UTC) - timedelta(days=1)))
    _require_key_beyond_loopback(beyond)
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 401
        assert client.get("/v1/codebook", headers=bearer(made.shown)).status_code == 401


def test_while_all_connections_to_the_database_are_in_use_known_callers_get_in_and_others_get_503(settings, key_of):
    with api_of(settings) as client:
        assert client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code == 200

        @event.listens_for(client.app.state.services.database.engine, "checkout")
        def refuse(*_):
            raise NoConnectionError("All connections are in use.")

        time.sleep(1)  # until the database is asked again
        assert client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code == 200
        for headers in (bearer(key_of["coder"]), {}):
            client.app.state.services.gate.clear_cache()
            assert client.get("/v1/codebook", headers=headers).status_code == 503


def test_the_admin_key_of_the_settings_replaces_a_first_key(settings):
    from service.settings import Settings

    with_admin_key = Settings(data_dir=settings.data_dir, database_url=settings.database_url, admin_key=ADMIN_KEY)
    with api_of(with_admin_key) as client:
        assert client.get("/v1/codebook").status_code == 401
        assert client.get("/v1/audit", headers=bearer(ADMIN_KEY)).status_code == 200
        assert client.get("/v1/audit", headers=bearer(ADMIN_KEY[:-1])).status_code == 401
        assert client.post("/sign-in", data={"key": ADMIN_KEY}).status_code == 303
        assert client.get("/audit").status_code == 200
    with pytest.raises(ValueError, match="32"):
        Settings(admin_key="short")


def test_a_session_ends_with_the_admin_key_of_the_settings_that_opened_it(settings, database):
    other = "another admin key that is also long enough"
    with api_of(settings, admin_key=SecretStr(ADMIN_KEY)) as client:
        client.post("/sign-in", data={"key": ADMIN_KEY})
        assert client.get("/v1/audit").status_code == 200
        token = client.cookies["framing_session"]
    with api_of(settings, admin_key=SecretStr(ADMIN_KEY)) as client:
        client.cookies.set("framing_session", token)
        assert client.get("/v1/audit").status_code == 200
    for changes in ({"admin_key": SecretStr(other)}, {}):
        with api_of(settings, **changes) as client:
            client.cookies.set("framing_session", token)
            assert client.get("/v1/audit").status_code == 401
            assert client.get("/audit").status_code == 303
    content = b"".join(path.read_bytes() for path in settings.data_dir.glob("framing.sqlite3*"))
    assert token.encode() not in content
    for secret in (token, ADMIN_KEY):
        assert hashlib.sha256(secret.encode()).hexdigest().encode() not in content
    with api_of(settings, admin_key=SecretStr(ADMIN_KEY)) as client:
        client.cookies.set("framing_session", token)
        client.post("/sign-out")
        client.cookies.set("framing_session", token)
        assert client.get("/v1/audit").status_code == 401


def test_nobody_gets_in_after_the_last_key_was_revoked_until_a_command_says_so(settings, database, framing):
    place = {"data_dir": settings.data_dir}
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 200
        made = json.loads(framing("keys", "create", "mira", "--role", "admin", "--json", **place).stdout)
        wait_until(lambda: client.get("/v1/codebook").status_code == 401, "the key to be needed")
        assert client.get("/v1/codebook", headers=bearer(made["key"])).status_code == 200
        refused = framing("keys", "open", **place)
        assert refused.returncode == 1
        assert made["id"] in refused.stderr
        assert "nobody gets in" in framing("keys", "revoke", made["id"], **place).stderr
        wait_until(
            lambda: client.get("/v1/codebook", headers=bearer(made["key"])).status_code == 401, "the key to be revoked"
        )
        for _ in range(12):
            assert client.get("/v1/codebook").status_code == 401
            assert client.get("/").status_code == 303
            time.sleep(0.1)
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 401
        refused = framing("keys", "open", **place, admin_key=ADMIN_KEY)
        assert "FRAMING_ADMIN_KEY is set" in refused.stderr
        assert "without a key" in framing("keys", "open", **place).stdout
        wait_until(lambda: client.get("/v1/codebook").status_code == 200, "the server to be open")
    with database.read() as connection:
        assert audit.verify(connection) == 3


def test_taking_the_admin_key_out_of_the_settings_lets_nobody_in(settings, database):
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 200
    with api_of(settings, admin_key=SecretStr(ADMIN_KEY)) as client:
        assert client.get("/v1/codebook").status_code == 401
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 401
    _require_key_beyond_loopback(settings)
    with pytest.raises(OpenServerError):
        _require_key_beyond_loopback(settings.model_copy(update={"host": "0.0.0.0"}))
    with database.write() as connection:
        connection.execute(text("DELETE FROM access"))
    with api_of(settings) as client:
        assert client.get("/v1/codebook").status_code == 401


@pytest.mark.databases
@pytest.mark.parametrize(
    ("planted", "closed"),
    [
        ("SELECT 1", False),
        (
            "INSERT INTO api_keys (id, name, role, secret_sha256, created_at, revoked_at) VALUES "
            "('0123456789ab', 'mira', 'admin', 'x', '2026-01-01 00:00:00', '2026-02-01 00:00:00')",
            True,
        ),
        ("INSERT INTO sessions (token_sha256, expires_at) VALUES ('x', '2030-01-01 00:00:00')", True),
        (
            "INSERT INTO audit (number, at, who, action, subject, detail, sha256) VALUES "
            "(1, '2026-01-01 00:00:00', 'admin key of the settings', 'submit', 'x', '{}', 'x')",
            True,
        ),
    ],
)
def test_an_installation_that_ever_had_a_key_needs_keys_after_an_upgrade(database, planted, closed):
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "0011")
        connection.execute(text(planted))
    database.migrate()
    with database.read() as connection:
        assert keys.is_closed(connection) is closed
        # Their sessions were not bound to the key, and end.
        assert connection.scalar(text("SELECT count(*) FROM sessions")) == 0


def test_only_admins_read_the_names_of_coders_in_runs_and_on_cards(settings, database, registry, challenger, key_of):
    coders = ["Mira Quell", "Tom Vane"]
    card = challenger.card
    learned = replace(card, data=replace(card.data, coders={"Mira Quell": 30, "Tom Vane": 20}))
    version = registry.register(replace(challenger, card=learned)).version
    with api_of(settings) as client:
        admin = bearer(key_of["admin"])
        run = client.post("/v1/training-runs", json={"coders": coders}, headers=admin).json()["id"]
        error = _nothing_to_learn_from(training_runs.RunRequest(coders=coders), learned=False)
        assert "Mira Quell, Tom Vane" in error
        with database.write() as connection:
            training_runs.finish(connection, run, "failed", line=f"failed: {error}", error=error)
        places = ["", f"/{run}", f"/{run}/events"]
        addresses = [
            *(f"/v1/training-runs{place}" for place in places),
            "/models",
            "/v1/models",
            f"/v1/models/{version}",
        ]
        json_or_table = {"Accept": "application/json"}, {"Accept": "text/markdown"}
        for address, accepted in itertools.product(addresses, json_or_table):
            assert "Tom Vane" in client.get(address, headers={**admin, **accepted}).text, address
            for role in ROLES[:-1]:
                text = client.get(address, headers={**bearer(key_of[role]), **accepted}).text
                assert "Quell" not in text, (address, role)
                assert "Vane" not in text, (address, role)
                assert "coder 2" in text, (address, role)
        answer = client.get(f"/v1/training-runs/{run}", headers=bearer(key_of["reader"])).json()
        assert answer["request"]["coders"] == ["coder 1", "coder 2"]
        assert client.get(f"/v1/models/{version}", headers=bearer(key_of["reader"])).json()["data"]["coders"] == {
            "coder 1": 30,
            "coder 2": 20,
        }


@pytest.fixture
def single_minute(monkeypatch):
    """A minute that does not end while a test counts requests in it."""
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 1_800_000_030.0))


def wait_for_the_next_minute_if_this_ends_soon():
    seconds = time.time() % 60
    if seconds > 55:
        time.sleep(60.5 - seconds)


@pytest.mark.usefixtures("single_minute")
def test_an_address_that_guesses_keys_is_limited_and_right_keys_still_work(settings, key_of):
    guesses = [f"framing_{number:012x}_{'x' * 43}" if number % 2 else f"{number:040}" for number in range(300)]
    with api_of(settings, wrong_keys_per_minute=20, admin_key=SecretStr(ADMIN_KEY)) as client:
        assert client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code == 200
        answers = [client.get("/v1/codebook", headers=bearer(guess)) for guess in guesses]
        assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 280
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert client.post("/sign-in", data={"key": guesses[0]}).status_code == 429
        # Others may share the address: of a proxy that is not named, of an office.
        for right in (key_of["reader"], key_of["coder"]):
            assert client.get("/v1/codebook", headers=bearer(right)).status_code == 200
        assert client.post("/sign-in", data={"key": key_of["reader"]}).status_code == 303
        client.cookies.clear()
        # It may be of a person's choosing, and so might be guessed.
        assert client.get("/v1/codebook", headers=bearer(ADMIN_KEY)).status_code == 429
    with api_of(settings, wrong_keys_per_minute=20, admin_key=SecretStr(ADMIN_KEY)) as client:
        assert client.get("/v1/codebook", headers=bearer(ADMIN_KEY)).status_code == 200
        assert {client.get("/v1/codebook", headers=bearer(guess)).status_code for guess in guesses} == {401, 429}
        assert client.get("/v1/codebook", headers=bearer(ADMIN_KEY)).status_code == 200


def test_an_address_cannot_be_changed_by_a_header_unless_a_named_proxy_sends_it(models_folder, key_of):
    guess = bearer(f"framing_{'0' * 12}_{'x' * 43}")

    def statuses(client):
        wait_for_the_next_minute_if_this_ends_soon()
        return [
            client.get("/v1/codebook", headers={**guess, "X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(12)
        ]

    with running_server(models_folder.parent, wrong_keys_per_minute="5") as (client, _):
        assert statuses(client) == [401] * 5 + [429] * 7
    for variable in ("trusted_proxies", "FORWARDED_ALLOW_IPS"):
        with pytest.MonkeyPatch.context() as patch:
            if variable.isupper():
                patch.setenv(variable, "10.0.0.0/8, 127.0.0.1")
            named = {} if variable.isupper() else {variable: "127.0.0.1"}
            with running_server(models_folder.parent, wrong_keys_per_minute="5", **named) as (client, _):
                assert statuses(client) == [401] * 12
                # What the client itself wrote stands before what the proxy adds.
                wait_for_the_next_minute_if_this_ends_soon()
                sent = [{**guess, "X-Forwarded-For": f"203.0.113.{number}, 198.51.100.1"} for number in range(12)]
                answers = [client.get("/v1/codebook", headers=headers).status_code for headers in sent]
                assert answers == [401] * 5 + [429] * 7


def test_addresses_of_the_same_ipv6_network_are_a_single_address():
    def address(host):
        return address_of(Request({"type": "http", "client": (host, 1)}))

    assert address("2001:db8:1:2:3:4:5:6") == address("2001:db8:1:2::9") != address("2001:db8:1:3::9")
    assert address("::ffff:192.0.2.1") == address("192.0.2.1") == "192.0.2.1"
    assert address("not: an address") == "not: an address"
    assert address_of(Request({"type": "http", "client": None})) == ""


@pytest.mark.usefixtures("single_minute")
def test_the_admin_key_of_the_settings_has_the_limit_of_requests_too(settings, key_of):
    with api_of(settings, rate_per_minute=10, admin_key=SecretStr(ADMIN_KEY)) as client:
        answers = [client.get("/v1/codebook", headers=bearer(ADMIN_KEY)).status_code for _ in range(15)]
        assert answers == [200] * 10 + [429] * 5
        assert client.post("/sign-in", data={"key": ADMIN_KEY}).status_code == 429
        assert client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code == 200
        # Signing in counts, or it could be repeated without end.
        signed_in = [client.post("/sign-in", data={"key": key_of["coder"]}).status_code for _ in range(12)]
        assert signed_in == [303] * 10 + [429] * 2


@pytest.mark.databases
@pytest.mark.usefixtures("single_minute")
def test_a_rate_limit_holds_over_all_processes(settings, key_of):
    with ExitStack() as stack:
        replicas = [stack.enter_context(api_of(settings, rate_per_minute=40)) for _ in range(2)]
        answers = []
        for number in range(120):
            answers.append(replicas[number % 2].get("/v1/codebook", headers=bearer(key_of["reader"])))
            time.sleep(0.02)
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 40 <= len(answers) - len(refused) <= 110
        assert answers[-1].status_code == 429
        assert 1 <= int(refused[0].headers["retry-after"]) <= 60
        assert replicas[0].get("/v1/codebook", headers=bearer(key_of["submitter"])).status_code == 200


def test_too_many_requests_and_bodies_that_never_end_are_rejected(models_folder, database):
    annotation = {"coder": "ana", "text": "The army left.", "source": "radio", "frames": {}}
    with (
        running_server(models_folder.parent, max_requests="2", body_seconds="1") as (client, _process),
        ThreadPoolExecutor(2) as pool,
    ):

        def store_once_there_is_room():
            while "urn:framing:problem:busy" in (answer := client.post("/v1/annotations", json=annotation)).text:
                time.sleep(0.05)
            return answer

        with database.write():
            waiting = [pool.submit(store_once_there_is_room) for _ in range(2)]
            answers = []

            def is_refused(address, **headers):
                answers.append(client.get(address, headers=headers))
                return answers[-1].status_code == 503

            # A request before may have just made room, which the next then takes.
            wait_until(lambda: is_refused("/v1/codebook"), "all places to be taken")
            assert answers[-1].headers["retry-after"] == "1"
            assert answers[-1].json()["type"] == "urn:framing:problem:busy"
            wait_until(lambda: is_refused("/articles?q=a", Accept="text/html"), "the page of a busy server")
            assert answers[-1].headers["retry-after"] == "1"
            assert '<a href="/articles?q=a">Try again</a>' in answers[-1].text
            for probe in ("/livez", "/readyz", "/sign-in"):
                assert client.get(probe).status_code == 200
        assert [each.result().status_code for each in waiting] == [201, 201]
        host, port = client.base_url.host, client.base_url.port
        head = (
            b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        slow = [socket.create_connection((host, port), timeout=10) for _ in range(2)]
        for connection in slow:
            connection.sendall(head)
        for connection in slow:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
            connection.close()
        assert client.get("/v1/codebook").status_code == 200
        long = client.get("/v1/codebook", headers={"X-Long": "a" * 2**17})
        assert (long.status_code, long.json()["type"]) == (431, "urn:framing:problem:headers-too-large")


@pytest.mark.databases
def test_the_log_has_who_did_what_in_api_csv_and_page(settings, database, key_of, registry, challenger):
    with api_of(settings) as client:
        admin = bearer(key_of["admin"])
        article = client.post(
            "/v1/articles", json={"text": THREE_PARAGRAPHS}, headers=bearer(key_of["submitter"])
        ).json()
        annotation = {"coder": "coder", "article_id": article["id"], "paragraph": 0, "frames": {}}
        client.post("/v1/annotations", json=annotation, headers=bearer(key_of["coder"]))
        registry.register(challenger)
        client.post("/v1/models/v2/promote", json={"reason": "better", "by": "somebody else"}, headers=admin)
        client.post("/v1/models/rollback", json={"reason": "worse"}, headers=admin)
        client.post("/v1/training-runs", json={}, headers=admin)
        client.delete(f"/v1/articles/{article['id']}", headers=admin)
        lines = client.get("/v1/audit", headers=admin).json()["lines"]
        actions = [(line["who"], line["action"], line["subject"]) for line in lines[::-1]]
        run = actions[4][2]
        assert actions == [
            ("submitter", "submit", article["id"]),
            ("coder", "annotate", actions[1][2]),
            ("admin", "promote", "v2"),
            ("admin", "roll back", "v1"),
            ("admin", "train", run),
            ("admin", "delete article", article["id"]),
        ]
        assert lines[3]["detail"]["by"] == "admin"
        assert client.get("/v1/audit", params={"action": "train"}, headers=admin).json()["lines"][0]["subject"] == run
        page = client.get("/v1/audit", params={"limit": 2}, headers=admin).json()
        rest = client.get("/v1/audit", params={"cursor": page["next"]}, headers=admin).json()
        assert page["lines"] + rest["lines"] == lines
        exported = client.get("/v1/audit/export", headers=admin)
        assert exported.headers["content-type"].startswith("text/csv")
        assert len(exported.text.splitlines()) == 7
        assert "roll back" in client.get("/audit", headers=admin).text
    with database.read() as connection:
        assert audit.verify(connection) == 6


@pytest.mark.databases
@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        ("UPDATE audit SET who = 'tom' WHERE number = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 5", 4),
        ("DELETE FROM audit", 0),
        ("UPDATE audit SET number = CASE number WHEN 2 THEN 93 ELSE 92 END WHERE number IN (2, 3)", 2),
        ("DELETE FROM audit_head", 5),
    ],
)
def test_a_line_that_was_changed_removed_or_moved_is_detected(database, framing, settings, tamper, line):
    with database.write() as connection:
        for number in range(5):
            audit.note(connection, COMMAND_LINE, "submit", f"article {number}", outlet="Ilara Post")
    with database.read() as connection:
        assert audit.verify(connection) == 5
    with database.write() as connection:
        connection.execute(text(tamper))
    with database.read() as connection, pytest.raises(audit.AuditError, match=rf"ine {line}\b"):
        audit.verify(connection)


def test_the_doctor_checks_the_log_and_keys_are_created_listed_and_revoked_by_command(framing, models_folder, database):
    place = {"data_dir": models_folder.parent}
    shown = framing("keys", "create", "mira", "--role", "coder", "--days", "30", **place)
    assert re.fullmatch(r"framing_[0-9a-f]{12}_[\w-]{43}\n", shown.stdout)
    assert "not shown again" in shown.stderr
    made = json.loads(framing("keys", "create", "tom", "--role", "reader", "--json", **place).stdout)
    assert "has been revoked" in framing("keys", "revoke", made["id"], **place).stdout
    listed = framing("keys", "list", **place).stdout
    assert re.search(r"mira +│ coder .*\d\d\d\d-\d\d-\d\d .*never", listed)
    assert re.search(r"tom +│ reader .*revoked", listed)
    assert secret_of(made["key"]) not in listed
    with database.write() as connection, pytest.raises(keys.NoSuchKeyError, match="No API key has the id 'x'"):
        keys.revoke(connection, "x")
    assert "3 lines, all unchanged" in framing("doctor", **place).stdout
    with database.write() as connection:
        connection.execute(delete(lines_of_audit).where(lines_of_audit.c.number == 2))
    assert "FAULT log of actions: Line 2" in framing("doctor", **place).stdout


@pytest.mark.parametrize("encoding", ["unicode_escape", "utf-7", "punycode", "undefined", "utf-16", "nonsense"])
def test_a_form_in_a_strange_encoding_is_refused_wherever_a_form_is_read(api, key_of, encoding):
    form = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\\ud800+2AA-\r\n--x--\r\n'
    headers = bearer(key_of["submitter"]) | {"Content-Type": f"multipart/form-data; boundary=x; charset={encoding}"}
    for address, field in (("/sign-in", b"key"), ("/classify", b"content"), ("/v1/articles", b"text")):
        answer = api.post(address, content=form % field, headers=headers)
        assert (answer.status_code, "UTF-8" in answer.text) == (400, True), address


def test_a_form_of_very_many_fields_is_refused_before_it_is_parsed(api, key_of):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.post("/sign-in", content=b"&" * 2**14, headers=form).status_code == 400
    assert api.post("/sign-in", content=b"&" * 2**15, headers=form).status_code == 413
    headers = bearer(key_of["submitter"]) | form
    assert api.post("/classify", content=b"&" * 2**22, headers=headers).status_code == 400


def test_an_object_of_very_many_names_is_refused_without_a_sentence_for_each(api, key_of):
    body = {f"name {number}": 1 for number in range(100_000)}
    answer = api.post("/v1/classify", json=body, headers=bearer(key_of["submitter"]))
    assert (answer.status_code, "names" in answer.text) == (400, True)


@pytest.mark.parametrize("part", ["[]", "{}", '"a":{}'])
def test_a_body_of_very_many_lists_and_objects_is_refused_before_it_is_parsed(api, key_of, part):
    """Parsing them would hold up all other requests for as many microseconds, and naming each as wrong far longer."""
    content = f'{{"text":[{",".join([part] * 1_000_000)}]}}'
    headers = bearer(key_of["submitter"]) | {"Content-Type": "application/json"}
    began = time.process_time()
    answer = api.post("/v1/classify", content=content, headers=headers)
    assert (answer.status_code, "more than 50,000 lists and objects" in answer.text) == (400, True)
    assert time.process_time() - began < 2
    lines = {"Content-Type": "application/x-ndjson", **bearer(key_of["coder"])}
    answer = api.post("/v1/annotations", content="{}\n" * 1_000_000, headers=lines)
    assert (answer.status_code, "more than 50,000 lines" in answer.text) == (400, True)


def test_brackets_within_strings_are_no_structure(api, key_of):
    text = 'The army "left [the town]" {at once}. ' * 1000
    answer = api.post("/v1/classify", json={"text": text + THREE_PARAGRAPHS}, headers=bearer(key_of["submitter"]))
    assert answer.status_code == 200
