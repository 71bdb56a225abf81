"""What slow, stalled and greedy clients may hold, and what other clients still get meanwhile."""

import asyncio
import json
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from service.app import create_app
from service.errors import RateLimitedError
from service.http import places
from service.http.places import BusyError, FairTurns, Places
from service.jobs.run_watch import RunWatch
from service.store import keys, training_runs
from service.store.callers import LOCAL, Caller
from service.store.sql.connections import WRITES
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import bearer
from tests.support.length import FULL, full
from tests.support.servers import running_server

# In the short form, other tests run beside.
FEW_SECONDS = full(1, short=5)
FORM = "application/x-www-form-urlencoded"


def send(client, line, body=b"", key=None, **headers):
    """Sends the beginning of a request and returns its connection; the length that it declares never comes."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)
    own = {"Host": "localhost", **({"Authorization": f"Bearer {key}"} if key else {})}
    fields = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    connection.sendall(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return connection


def stall(client, line, key=None, content_type="application/json"):
    return send(client, line, b"{", key, Content_Type=content_type, Content_Length="1000")


def answer_of(connection):
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def seconds_of(ask, status=200):
    began = time.monotonic()
    answer = ask()
    assert answer.status_code == status, answer.text
    return time.monotonic() - began


@contextmanager
def several(connections):
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def test_256_stalled_bodies_and_256_streams_of_a_key_leave_room_for_probes_sign_in_and_other_keys(settings, key_of):
    greedy, other = key_of["admin"], key_of["submitter"]
    with running_server(settings.data_dir, body_seconds="60") as (client, _), ExitStack() as stack:
        run = client.post("/v1/training-runs", json={}, headers=bearer(greedy)).json()["id"]
        lines = ("POST /v1/articles:batch", "POST /v1/classify:batch", "POST /v1/articles")
        for number in range(256):
            stack.enter_context(stall(client, lines[number % 3], greedy))
        streams = [
            stack.enter_context(send(client, f"GET /v1/training-runs/{run}/events", key=greedy)) for _ in range(256)
        ]
        body = {"text": THREE_PARAGRAPHS}
        for _ in range(2):
            assert seconds_of(lambda: client.get("/readyz")) < FEW_SECONDS
            assert seconds_of(lambda: client.post("/sign-in", data={"key": other}), 303) < FEW_SECONDS
            client.cookies.clear()
            assert seconds_of(lambda: client.get("/v1/articles", headers=bearer(other))) < FEW_SECONDS
            assert seconds_of(lambda: client.post("/v1/classify", json=body, headers=bearer(other))) < FEW_SECONDS
            assert seconds_of(lambda: client.get("/v1/articles", headers=bearer(greedy))) < FEW_SECONDS
        heads = [stream.recv(12) for stream in streams]
        assert (heads.count(b"HTTP/1.1 200"), heads.count(b"HTTP/1.1 429")) == (16, 240)


def test_stalled_sign_ins_of_an_address_do_not_keep_others_at_this_address_from_signing_in(settings, key_of):
    with running_server(settings.data_dir, body_seconds="60") as (client, _), ExitStack() as stack:
        stalled = [stack.enter_context(stall(client, "POST /sign-in", content_type=FORM)) for _ in range(256)]
        assert seconds_of(lambda: client.post("/sign-in", data={"key": key_of["reader"]}), 303) < FEW_SECONDS
        client.cookies.clear()
        assert seconds_of(lambda: client.get("/v1/articles", headers=bearer(key_of["reader"]))) < FEW_SECONDS
        assert answer_of(stalled[0])[0] == 408  # the oldest gave way


def test_every_route_with_a_body_ends_a_body_that_stalls(settings):
    with running_server(settings.data_dir, body_seconds="1") as (client, _):
        paths = client.get("/openapi.json").json()["paths"]
        routes = [
            f"{method.upper()} {path.replace('{id}', '0' * 32).replace('{version}', 'v1')}"
            for path, operations in paths.items()
            for method, operation in operations.items()
            if "requestBody" in operation
        ]
        assert len(routes) > 8
        import_line = next(route for route in routes if route.endswith("/import"))
        routes[routes.index(import_line)] = f"{import_line}?format=label-studio&coder=ana"
        with ThreadPoolExecutor(32) as pool:
            pages = [stall(client, f"POST {page}", content_type=FORM) for page in ("/sign-in", "/classify")]
            connections = [stall(client, route) for route in routes] + pages
            with several(connections):
                statuses = [status for status, _ in pool.map(answer_of, connections)]
        answered = dict(zip([*routes, "/sign-in", "/classify"], statuses, strict=True))
        assert {route: status for route, status in answered.items() if status != 408} == {}


def test_a_batch_that_pauses_too_long_ends_with_a_line_that_says_so(settings):
    line = json.dumps({"text": THREE_PARAGRAPHS}).encode()
    with running_server(settings.data_dir, body_seconds="1") as (client, _):
        with send(client, "POST /v1/classify:batch", line + b"\n" + line[:9], Content_Length="100000") as connection:
            status, content = answer_of(connection)
        first, last = map(json.loads, content.splitlines())
        assert (status, first["status"], last["line"], last["status"]) == (200, 200, 2, 408)
        assert last["problem"]["type"] == "urn:framing:problem:too-slow"


def test_a_body_over_a_slow_link_arrives_however_long_it_takes_and_one_that_trickles_does_not(settings):
    body = json.dumps({"text": THREE_PARAGRAPHS}).encode().ljust(2000)

    def send_at(rate):
        length = str(len(body))
        with send(client, "POST /v1/classify", Content_Type="application/json", Content_Length=length) as connection:
            connection.setblocking(False)
            for start in range(0, len(body), rate // 4):
                connection.sendall(body[start : start + rate // 4])
                time.sleep(0.25)
                if connection.fileno() < 0 or _has_answer(connection):
                    break
            connection.settimeout(30)
            return answer_of(connection)[0]

    with running_server(settings.data_dir, body_seconds="1", body_bytes_per_second="500") as (client, _):
        assert send_at(1000) == 200  # two seconds
        assert send_at(100) == 408


def _has_answer(connection):
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_open_streams_and_stalled_bodies_cost_no_place(settings):
    with running_server(settings.data_dir, max_requests="4", body_seconds="60") as (client, _), ExitStack() as stack:
        run = client.post("/v1/training-runs", json={}).json()["id"]
        for _ in range(6):
            stream = stack.enter_context(send(client, f"GET /v1/training-runs/{run}/events"))
            assert stream.recv(12) == b"HTTP/1.1 200"
            stack.enter_context(stall(client, "POST /v1/classify"))
        for _ in range(3):
            assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200


def test_headers_that_stall_or_never_end_close_the_connection(settings):
    with running_server(settings.data_dir, body_seconds="1") as (client, _):
        address = (client.base_url.host, client.base_url.port)
        with ExitStack() as stack:
            silent, begun, endless = (
                stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(3)
            )
            begun.sendall(b"GET /readyz HTTP/1.1\r\nHost: local")
            assert silent.recv(100) == b""
            assert begun.recv(100) == b""
            with pytest.raises(OSError, match=r"reset|Broken"):
                endless.sendall(b"GET /readyz HTTP/1.1\r\nX: " + b"x" * 2**24)
        assert client.get("/readyz").status_code == 200


def test_a_body_that_stalls_after_its_answer_closes_the_connection(settings):
    with (
        running_server(settings.data_dir, body_seconds=1) as (client, _),
        send(client, "GET /livez", b"x", Content_Length="1000") as connection,
    ):
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
        connection.settimeout(15)
        connection.sendall(b"y")
        while connection.recv(2**16):
            pass


def test_a_stream_ends_when_its_key_is_revoked(settings, key_of, framing):
    if not FULL:
        pytest.skip("waits for 15 seconds")
    with running_server(settings.data_dir) as (client, _):
        run = client.post("/v1/training-runs", json={}, headers=bearer(key_of["admin"])).json()["id"]
        with send(client, f"GET /v1/training-runs/{run}/events", key=key_of["reader"]) as stream:
            framing("keys", "revoke", key_of["reader"].split("_")[1], data_dir=settings.data_dir)
            assert answer_of(stream)[0] == 200  # it has an end


# -- the database -----------------------------------------------------------------------------------------------------


def test_with_the_database_locked_the_first_request_of_every_key_is_answered_at_once(settings, key_of, database):
    annotation = {"coder": "admin", "text": "The army left.", "source": "radio", "frames": {}}
    article = {"text": THREE_PARAGRAPHS}
    with running_server(settings.data_dir) as (client, _), ThreadPoolExecutor(40) as pool, database.write():
        for key in key_of.values():
            assert seconds_of(lambda key=key: client.get("/v1/articles", headers=bearer(key))) < FEW_SECONDS
        admin = bearer(key_of["admin"])
        waiting = [
            pool.submit(client.post, "/v1/annotations", json=annotation, headers=admin)
            if number % 2
            else pool.submit(client.post, "/v1/articles", json=article, headers=admin)
            for number in range(40)
        ]
        time.sleep(1)
        assert not any(each.done() for each in waiting)
        assert seconds_of(lambda: client.get("/v1/articles", headers=admin)) < FEW_SECONDS
        assert seconds_of(lambda: client.post("/v1/classify", json=article, headers=admin)) < FEW_SECONDS
        assert seconds_of(lambda: client.get("/readyz")) < FEW_SECONDS


def test_many_who_sign_in_while_the_database_is_locked_leave_threads_for_those_who_read(settings, key_of, database):
    with running_server(settings.data_dir) as (client, _), ThreadPoolExecutor(60) as pool:
        with database.write():
            form = {"key": key_of["submitter"]}
            waiting = [pool.submit(client.post, "/sign-in", data=form) for _ in range(60)]
            time.sleep(1)
            assert not any(each.done() for each in waiting)
            assert seconds_of(lambda: client.get("/v1/articles", headers=bearer(key_of["reader"]))) < FEW_SECONDS
        assert {each.result().status_code for each in waiting} == {303}


def test_a_server_starts_while_the_database_is_locked(settings, database):
    with running_server(settings.data_dir):
        pass
    with database.write(), running_server(settings.data_dir) as (client, _):  # a writer would give up after 15 s
        assert client.get("/readyz").status_code == 200


@pytest.mark.databases
def test_no_request_that_reads_writes_in_the_gate_and_the_use_of_keys_is_noted_all_the_same(settings, key_of):
    app = create_app(settings.model_copy(update={"rate_per_minute": 1000}))
    database = app.state.services.database
    writers = []

    @event.listens_for(database.engine, "begin")
    def note(connection):
        if connection.get_execution_options().get(WRITES):
            writers.append(threading.current_thread().name)

    with TestClient(app) as client:
        writers.clear()
        for key in key_of.values():
            assert client.get("/v1/articles", headers=bearer(key)).status_code == 200
    assert set(writers) == {"key-records"}
    with app.state.services.database.read() as connection:
        assert all(key.last_used_at is not None for key in keys.listing(connection))


# -- places, turns, followers -----------------------------------------------------------------------------------------


def request():
    return {"type": "http", "path": "/v1/articles", "client": ("10.0.0.1", 1)}


def reader(key_id):
    return Caller("a", "reader", key_id)


def test_a_key_never_takes_the_last_places_and_the_user_of_a_server_without_keys_takes_all():
    process = Places(8, 2)
    for key_id, most in (("a", 6), ("b", 2)):
        for _ in range(most):
            process.take(request()).admit(reader(key_id))
        error = RateLimitedError if key_id == "a" else BusyError
        with pytest.raises(error):
            process.take({**request(), "path": "/"}).admit(reader(key_id))
    alone = Places(8, 2)
    for _ in range(8):
        alone.take(request()).admit(LOCAL)
    assert alone.take(request()) is None
    assert alone.take({**request(), "path": "/sign-in"}) is not None


def test_a_key_that_reads_no_answers_leaves_room_for_others():
    process = Places(4, 2)
    for _ in range(12):
        place = process.take(request())
        place.admit(reader("a"))
        place.rest()
    with pytest.raises(RateLimitedError, match="12 requests open"):
        process.take(request()).admit(reader("a"))
    process.take(request()).admit(reader("b"))


def test_stalled_sign_ins_of_many_addresses_leave_room_for_whoever_has_a_key():
    async def run():
        process = Places(4, 2)

        async def wait(number):
            async with process.take({**request(), "client": (f"2001:db8:{number}::1", 1)}).waiting(60):
                await asyncio.sleep(60)

        stalled = [asyncio.create_task(wait(number)) for number in range(16)]
        await asyncio.sleep(0)
        for key_id in "ab":
            place = process.take(request())
            place.admit(reader(key_id))
        ended = [type(each.exception()) for each in (await asyncio.wait(stalled, timeout=0.1))[0]]
        for each in stalled:
            each.cancel()
        return ended

    assert asyncio.run(run()) == [TimeoutError] * 2


def test_whatever_requests_do_nothing_is_held_when_all_have_left():
    chance, process, present = random.Random(1), Places(8, 3), []
    for _ in range(3000):
        place = process.take(request()) if chance.random() < 0.5 else None
        if place is not None:
            present.append(place)
            try:
                if chance.random() < 0.8:
                    place.admit(reader(chance.choice("abc")))
                if chance.random() < 0.3:
                    place.open_stream()
            except (RateLimitedError, BusyError):
                pass
        if present:
            chance.choice(present).rest()
            chance.choice(present).work()
            if chance.random() < 0.5:
                present.pop(chance.randrange(len(present))).leave()
    for place in present:
        place.leave()
    assert (process._present, process._unknown, process._known) == (0, 0, 0)
    assert [process._working, process._held, process._streams, process._bodies, process._waiting] == [{}] * 5


def test_a_request_that_arrives_as_the_time_of_the_oldest_ends_takes_its_place():
    async def run():
        process = Places(8, 2)

        async def wait(seconds):
            async with process.take(request()).waiting(seconds):
                await asyncio.sleep(60)

        loop = asyncio.get_running_loop()
        oldest = [asyncio.create_task(wait(0.01)) for _ in range(2)]
        await asyncio.sleep(0)
        late = []
        # It begins between the end of the time and the moment at which the oldest notices.
        loop.call_soon(lambda: late.append(asyncio.create_task(wait(0.05))))
        time.sleep(0.02)
        return [type(each) for each in await asyncio.gather(*oldest, return_exceptions=True)] + [
            type(each) for each in await asyncio.gather(*late, return_exceptions=True)
        ]

    assert asyncio.run(run()) == [TimeoutError] * 3


def test_turns_are_served_caller_by_caller_and_none_is_lost_when_waiting_clients_leave():
    async def run():
        turns, order = FairTurns(4), []

        async def take(owner, seconds=0.0):
            places._owner.set(owner)
            async with turns.turn():
                order.append(owner)
                await asyncio.sleep(seconds)

        greedy = [asyncio.create_task(take("a", 0.05)) for _ in range(12)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == ["a"] * 3
        other = asyncio.create_task(take("b", 0.05))
        await asyncio.sleep(0.01)
        assert order[-1] == "b"  # the turn that a single caller cannot have
        late = [asyncio.create_task(take("b", 0.05)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in greedy[6:]:
            task.cancel()
        await asyncio.gather(*greedy, other, *late, return_exceptions=True)
        assert (order.count("a"), order.count("b")) == (6, 3)
        assert turns._free == 4
        assert (turns._waiting, turns._taken) == ({}, {})

    asyncio.run(run())


def test_a_run_that_many_follow_is_read_once_for_all_of_them(database):
    with database.write() as connection:
        run = training_runs.create(connection, training_runs.RunRequest())
    reads = []

    class Counted(RunWatch):
        def _read(self, identifier):
            reads.append(identifier)
            return super()._read(identifier)

    async def follow_all():
        watch = Counted(database)

        async def follow():
            return [each.state async for each in watch.follow(run.id)]

        following = [asyncio.create_task(follow()) for _ in range(50)]
        await asyncio.sleep(1)
        with database.write() as connection:
            training_runs.cancel(connection, run.id)
        states = await asyncio.gather(*following)
        assert states == [["queued", "cancelled"]] * 50
        assert not watch._followed

    asyncio.run(follow_all())
    assert len(reads) < 20
