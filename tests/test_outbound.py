"""The gate for everything that goes out: where it goes, how long it takes and how much it may bring."""

import ast
import itertools
import ssl
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bulk.ingest import IntoServer, ServerError
from service.bulk.inputs import InputError, find_files
from service.outbound import client
from service.outbound.client import Bounds, Outbound
from service.settings import Settings
from tests.support.web import web_server
from training.errors import OutboundError, OutboundRefusedError, StorageError
from training.outbound.addresses import address_of, is_of_a_network, is_public
from training.outbound.policy import Policy, policy_of, policy_of_place
from training.registry.storage import storage_at

ROOT = Path(__file__).parents[1]
QUICK = Bounds(seconds=1.0, size=2**20, redirects=3)
NOT_PUBLIC = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("192.0.0.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "::127.0.0.1"),
    *("2002:7f00:1::", "2002:0a01:0203::1", "2001:0:7f00:1::"),
]


@pytest.fixture
def web():
    with web_server() as server:
        yield server


@pytest.fixture
def outbound(web):
    """Reaches the server of the test, which is named by its address, and nothing else."""
    return Outbound(policy_of([web.url]), QUICK)


def resolving(policy: Policy, *answers: str | list[str]) -> Policy:
    """The policy with names that have these addresses, the next ones each time that a name is resolved."""
    turns = (answer if isinstance(answer, list) else [answer] for answer in answers)
    return replace(policy, resolve=lambda _host, _port: next(turns))


# -- where it goes ----------------------------------------------------------------------------------------------------


def test_nothing_goes_out_by_default(web):
    assert Settings(_env_file=None).outbound_hosts == ()
    for url in (web.url, "https://example.org/", "http://localhost/"):
        with pytest.raises(OutboundRefusedError, match="FRAMING_OUTBOUND_HOSTS"):
            Outbound(policy_of(())).get(url)
        with pytest.raises(OutboundRefusedError, match="FRAMING_OUTBOUND_HOSTS"):
            Outbound(policy_of(())).post(url, b"secret")
    assert web.connections == 0


def test_a_named_host_is_asked_and_answers(web, outbound):
    web.answer("/feed?page=1", b"<rss/>", "ETag: x")
    answer = outbound.get(f"{web.url}/feed?page=1", {"If-None-Match": "y"})
    assert (answer.status, answer.content, answer.headers["etag"]) == (200, b"<rss/>", "x")
    assert f"Host: 127.0.0.1:{web.port}" in web.requests[0]
    assert "If-None-Match: y" in web.requests[0]


NOTATIONS = [
    *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.", "0"),
    *("0.0.0.0", "127.0.0.2", "localhost", "localhost.", "LOCALHOST", "[::ffff:127.0.0.1]", "[::1]", "[::]"),
    *("１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "%31%32%37.0.0.1", "localtest.me", "127.0.0.1.nip.io"),
    *("feeds.example.org@127.0.0.1", "feeds.example.org:x@127.0.0.1", "127.0.0.1\\@feeds.example.org"),
    *("feeds.example.org#@127.0.0.1", "feeds.example.org\t.evil", " 127.0.0.1", "", ".", "-", "a..b", "[127.0.0.1]"),
]


@pytest.mark.parametrize("host", NOTATIONS)
def test_no_notation_of_this_machine_leads_to_it(web, host):
    outbound = Outbound(resolving(policy_of([f"http://feeds.example.org:{web.port}"]), *["127.0.0.1"] * 3), QUICK)
    with pytest.raises(OutboundError):
        outbound.get(f"http://{host}:{web.port}/")
    assert web.connections == 0


@pytest.mark.parametrize("host", NOTATIONS)
def test_no_redirect_to_a_notation_of_this_machine_is_followed(web, host):
    with web_server() as inside:
        web.redirect("/", f"http://{host}:{inside.port}/secret")
        with pytest.raises(OutboundError):
            Outbound(policy_of([web.url]), QUICK).get(f"{web.url}/")
        assert (web.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://127.0.0.1:1/_x", "ftp://127.0.0.1/", "dict://127.0.0.1:1/", "data:,x"),
        *("ldap://127.0.0.1", "jar:http://127.0.0.1!/", "http:127.0.0.1", "//127.0.0.1", "/etc/passwd", "unix:/tmp/x"),
        *("http://", "http:///x", "https://[", "http://[::1", "http://127.0.0.1:99999/", "http://a:b:c/", "x", ""),
        *("http://127.0.0.1/\r\nX: y", "ht\ntp://127.0.0.1/", "http://" + "a" * 300 + ".org/"),
    ],
)
def test_what_is_no_http_url_is_refused_with_a_sentence_also_in_a_redirect(web, url):
    policy = policy_of([web.url, "127.0.0.1", "http://127.0.0.1"])
    with pytest.raises(OutboundRefusedError, match=r"[.]$"):
        Outbound(policy, QUICK).get(url)
    # Without a host it is a path of the same host, as browsers read it.
    if url.partition(":")[2] and "\n" not in url and url not in ("http:127.0.0.1", "http:///x"):
        web.redirect("/", url)
        with pytest.raises(OutboundError, match=r"[.]$"):
            Outbound(policy_of([web.url]), QUICK).get(f"{web.url}/")


def test_another_port_or_scheme_of_a_named_host_is_another_place(web):
    named = policy_of(["https://feeds.example.org", f"http://127.0.0.1:{web.port}"])
    for url in ("http://feeds.example.org/", "https://feeds.example.org:22/", f"https://127.0.0.1:{web.port}/"):
        with pytest.raises(OutboundRefusedError, match="FRAMING_OUTBOUND_HOSTS"):
            Outbound(named, QUICK).get(url)
    assert web.connections == 0


def test_a_domain_stands_for_the_names_below_it_only():
    policy = policy_of(["*.example.org"])
    policy.require("https", "a.b.example.org", 443)
    for host in ("example.org", "evilexample.org", "example.org.evil.net", "a.example.com"):
        with pytest.raises(OutboundRefusedError):
            policy.require("https", host, 443)


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_named_host_is_not_followed_to_an_address_that_is_not_public(address):
    for answer in (address, ["93.184.215.14", address], [address, "93.184.215.14"]):
        with pytest.raises(OutboundRefusedError, match=r"which is not public\. If it is meant, name its network"):
            resolving(policy_of(["feeds.example.org"]), answer).addresses("feeds.example.org", 443)


def test_public_addresses_are_returned_as_they_are():
    addresses = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
    assert resolving(policy_of(["feeds.example.org"]), addresses).addresses("feeds.example.org", 443) == addresses


@given(st.ip_addresses())
def test_an_address_within_another_is_judged_by_itself(address):
    inner = address_of(str(address))
    assert inner is not None
    if address.version == 4:
        for wrapped in (f"::ffff:{address}", f"64:ff9b::{address}"):
            assert address_of(wrapped) == address
    assert not is_public(inner) or is_of_a_network(inner)
    assert not (inner.is_loopback and is_public(inner))


def test_a_private_address_is_reached_where_its_network_is_named(web):
    named = [f"http://feeds.example.org:{web.port}"]
    web.answer("/", b"inside")
    with pytest.raises(OutboundRefusedError, match=r"has the address 127\.0\.0\.1"):
        Outbound(resolving(policy_of(named), "127.0.0.1"), QUICK).get(f"{named[0]}/")
    answer = Outbound(resolving(policy_of([*named, "127.0.0.0/8"]), "127.0.0.1"), QUICK).get(f"{named[0]}/")
    assert answer.content == b"inside"
    assert f"Host: feeds.example.org:{web.port}" in web.requests[0]


def test_localhost_and_an_address_name_themselves_and_no_other_host(web):
    named = [f"http://localhost:{web.port}", web.url, f"http://feeds.example.org:{web.port}"]
    web.answer("/", b"inside")
    assert Outbound(policy_of(named), QUICK).get(f"http://localhost:{web.port}/").content == b"inside"
    with pytest.raises(OutboundRefusedError):
        Outbound(resolving(policy_of(named), "127.0.0.1"), QUICK).get(f"http://feeds.example.org:{web.port}/")
    with pytest.raises(OutboundRefusedError):
        Outbound(resolving(policy_of(named), "10.0.0.1"), QUICK).get(f"http://localhost:{web.port}/")


def test_a_name_that_changes_between_check_and_connection_leads_nowhere_else(web):
    """The first answer is permitted, the second is not: the connection goes to the first, the next request nowhere."""
    with web_server("127.0.0.2") as inside:
        policy = policy_of([f"http://feeds.example.org:{web.port}", "127.0.0.1/32"])
        outbound = Outbound(resolving(policy, "127.0.0.1", "127.0.0.2", "127.0.0.1"), QUICK)
        web.answer("/", b"outside")
        assert outbound.get(f"http://feeds.example.org:{web.port}/").content == b"outside"
        with pytest.raises(OutboundRefusedError, match=r"127\.0\.0\.2"):
            outbound.get(f"http://feeds.example.org:{web.port}/")
        web.redirect("/moved", "/")
        changing = Outbound(resolving(policy, "127.0.0.1", "127.0.0.2"), QUICK)
        with pytest.raises(OutboundRefusedError, match=r"127\.0\.0\.2"):
            changing.get(f"http://feeds.example.org:{web.port}/moved")
        assert inside.connections == 0


def test_the_place_that_a_person_names_may_be_private_yet_not_link_local():
    policy = policy_of_place("http://models.internal:9000")
    assert resolving(policy, "10.1.2.3").addresses("models.internal", 9000) == ["10.1.2.3"]
    for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:169.254.1.1", "2002:a9fe:a9fe::"):
        with pytest.raises(OutboundRefusedError):
            resolving(policy, address).addresses("models.internal", 9000)


@pytest.mark.parametrize(
    "address",
    ["168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "::ffff:168.63.129.16"],
)
def test_no_host_may_have_an_address_at_which_a_cloud_hands_out_credentials_unless_its_network_is_named(address):
    for policy in (policy_of(["https://feeds.example.org"]), policy_of_place("https://feeds.example.org")):
        with pytest.raises(OutboundRefusedError):
            resolving(policy, address).addresses("feeds.example.org", 443)
    named = policy_of(["https://feeds.example.org", f"{address_of(address)}/{address_of(address).max_prefixlen}"])
    assert resolving(named, address).addresses("feeds.example.org", 443) == [address]


# -- redirects --------------------------------------------------------------------------------------------------------


def test_redirects_within_named_hosts_are_followed(web, outbound):
    web.redirect("/a", "/b", 308)
    web.redirect("/b", f"{web.url}/c", 301)
    web.answer("/c", b"there")
    answer = outbound.get(f"{web.url}/a")
    assert (answer.content, answer.url) == (b"there", f"{web.url}/c")


def test_a_redirect_to_another_host_takes_no_secret_along(web):
    with web_server() as other:
        web.redirect("/", f"{other.url}/there")
        other.answer("/there", b"x")
        Outbound(policy_of([web.url, other.url]), QUICK).get(
            f"{web.url}/",
            {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Cookie": "s3cret", "Accept": "a/b"},
        )
        assert web.requests[0].count("s3cret") == 3
        assert "s3cret" not in other.requests[0]
        assert "Accept: a/b" in other.requests[0]


def test_redirects_without_an_end_are_ended(web, outbound):
    web.redirect("/", "/")
    with pytest.raises(OutboundError, match="more than 3 times"):
        outbound.get(f"{web.url}/")
    assert web.connections == 4


def test_content_is_not_sent_on_to_another_url(web, outbound):
    web.redirect("/hook", "/other", 307)
    with pytest.raises(OutboundError, match="sends the content on to another URL"):
        outbound.post(f"{web.url}/hook", b"{}")
    assert web.connections == 1


def test_a_certificate_must_be_trusted_and_of_the_name_that_was_asked(web, tmp_path, monkeypatch):
    certificate = _certificate(tmp_path / "own.pem", "feeds.example.org")
    web.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    web.tls.load_cert_chain(certificate)
    web.answer("/", b"hello")
    hosts = [f"https://{name}:{web.port}" for name in ("feeds.example.org", "other.example.org")]
    policy = replace(policy_of([*hosts, "127.0.0.0/8"]), resolve=lambda _host, _port: ["127.0.0.1"])
    for host in hosts:
        with pytest.raises(OutboundError, match="CERTIFICATE_VERIFY_FAILED"):
            Outbound(policy, QUICK).get(f"{host}/")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client._certificates.cache_clear()
    assert Outbound(policy, Bounds(seconds=20)).get(f"{hosts[0]}/").content == b"hello"
    with pytest.raises(OutboundError, match="CERTIFICATE_VERIFY_FAILED"):
        Outbound(policy, QUICK).get(f"{hosts[1]}/")
    client._certificates.cache_clear()
    assert len(web.requests) == 1


def _certificate(path: Path, name: str) -> Path:
    """Writes a key and a certificate that it signed itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", "-keyout", path, "-out", path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


# -- time and size ----------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"x" for _ in itertools.count()),
        itertools.chain([HEAD], (b"X-A: b\r\n" for _ in itertools.count())),
        itertools.chain([HEAD + b"Content-Length: 1000\r\n\r\n"], (b"x" for _ in itertools.count())),
        itertools.chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], (b"1\r\nx\r\n" for _ in itertools.count())),
        itertools.chain(b"HTTP/1.1 100 Continue\r\n\r\n" for _ in itertools.count()),
    ],
    ids=["no head", "headers", "body", "chunks", "interim answers"],
)
def test_an_answer_that_drips_is_ended(web, outbound, pieces):
    web.answers["/"], web.pause = pieces, 0.1
    began = time.monotonic()
    with pytest.raises(OutboundError):
        outbound.get(f"{web.url}/")
    assert time.monotonic() - began < 5


def test_a_server_that_says_nothing_is_left_also_over_tls_and_while_it_is_sent_to(web):
    silent = Outbound(policy_of([web.url, f"https://127.0.0.1:{web.port}"]), QUICK)
    web.answers["/"], web.pause = [b""], 20
    for url in (f"{web.url}/", f"https://127.0.0.1:{web.port}/"):
        with pytest.raises(OutboundError):
            silent.get(url)
    with pytest.raises(OutboundError, match="did not answer within 1 seconds"):
        silent.post(f"{web.url}/", b"x" * 50_000_000)


def test_a_name_that_takes_long_to_resolve_is_left(web):
    slow = replace(policy_of(["feeds.example.org"]), resolve=lambda _host, _port: time.sleep(20) or ["93.184.215.14"])
    began = time.monotonic()
    with pytest.raises(OutboundError, match="did not answer within 1 seconds"):
        Outbound(slow, QUICK).get("https://feeds.example.org/")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("head", "pieces", "message"),
    [
        (b"Content-Length: 2000000", [b"x"], "more than 1 MiB"),
        (b"Content-Length: 99999999999999999999", [b"x"], "more than 1 MiB"),
        (b"Transfer-Encoding: chunked", itertools.repeat(b"10000\r\n" + b"x" * 65536 + b"\r\n"), "more than 1 MiB"),
        (b"X: close", itertools.repeat(b"x" * 65536), "more than 1 MiB"),
        (b"Content-Length: 10", [b"x"], "did not answer as it should"),
        (b"Content-Length: -1", [b"x"], "did not answer as it should"),
        (b"Content-Length: 1\r\nContent-Length: 2", [b"xx"], "did not answer as it should"),
        (b"Content-Length: x", [b"xx"], "did not answer as it should"),
        (b"Transfer-Encoding: chunked", [b"zz\r\n"], "did not answer as it should"),
        (b"Content-Encoding: gzip\r\nContent-Length: 3", [b"xxx"], "packed its answer"),
        (b"Content-Encoding: identity, br\r\nContent-Length: 3", [b"xxx"], "packed its answer"),
        (b"bad header", [b""], "did not answer as it should"),
    ],
)
def test_an_answer_that_is_too_large_or_no_http_is_refused(web, outbound, head, pieces, message):
    web.answers["/"] = itertools.chain([HEAD + head + b"\r\n\r\n"], pieces)
    with pytest.raises(OutboundError, match=message):
        outbound.get(f"{web.url}/")


def test_a_refusal_does_not_repeat_the_path_which_may_hold_a_secret(web, outbound):
    web.answer("/s3cret", b"x" * 2**20 + b"x")
    web.redirect("/s3cret/hook", "/s3cret")
    for request in (
        lambda: outbound.get(f"{web.url}/s3cret"),
        lambda: outbound.post(f"{web.url}/s3cret/hook", b""),
        lambda: outbound.get("https://127.0.0.1/s3cret"),
    ):
        with pytest.raises(OutboundError) as refusal:
            request()
        assert "s3cret" not in str(refusal.value)


# -- what the operator writes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        *("*", "*.", "*.org", "https://*", "*.10.0.0.1", "ftp://feeds.example.org", "http://user@feeds.example.org"),
        *(
            "http://feeds.example.org/path",
            "http://feeds.example.org?x=1",
            "10.1.2.3/8",
            "10.0.0.0/99",
            "a b",
            "2130706433",
        ),
        *("feeds.example.org:port", "http://[::1", "http://"),
    ],
)
def test_an_entry_that_names_no_host_is_refused_when_settings_are_read(entry, monkeypatch):
    monkeypatch.setenv("FRAMING_OUTBOUND_HOSTS", f"feeds.example.org,{entry}")
    with pytest.raises(ValueError, match="outbound_hosts"):
        Settings(_env_file=None)


def test_the_list_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("FRAMING_OUTBOUND_HOSTS", " feeds.example.org , http://10.1.2.3:8080,10.1.0.0/16,")
    assert Settings(_env_file=None).outbound_hosts == ("feeds.example.org", "http://10.1.2.3:8080", "10.1.0.0/16")


# -- what goes out through it -----------------------------------------------------------------------------------------


def test_models_at_another_kind_of_place_are_refused_before_anything_is_connected(web):
    for url in (
        *(f"http://127.0.0.1:{web.port}/models", f"ftp://127.0.0.1:{web.port}/x", "sftp://h/x", "github://a:b@main/x"),
        *(f"simplecache::http://127.0.0.1:{web.port}/", f"zip://x::http://127.0.0.1:{web.port}/", "smb://h/x"),
        *("dask://x", "reference://x", "hdfs://h/x", "HTTP://127.0.0.1/x", "webhdfs://127.0.0.1/x", "data://x"),
    ):
        with pytest.raises(StorageError, match="is not a place for files that are shared"):
            storage_at(url).read("card.json")
    assert web.connections == 0


def test_models_in_a_bucket_are_reached_at_the_named_store_alone(s3, monkeypatch):
    import fsspec

    from tests.support.s3 import new_bucket
    from training.outbound.filesystems import options_for

    bucket = new_bucket()
    storage_at(bucket).write("a", b"1")
    options = options_for(bucket)
    with web_server("127.0.0.2") as elsewhere:
        # A client that is brought to another place than that which was named when it was made.
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.2:{elsewhere.port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        filesystem, root = fsspec.url_to_fs(bucket, **options["s3"], skip_instance_cache=True)
        filesystem.retries = 1
        with pytest.raises(Exception, match="not among the hosts"):
            filesystem.cat_file(f"{root}/a")
        assert elsewhere.connections == 0


def test_without_a_named_store_the_client_of_s3_is_held_to_hosts_of_amazon(monkeypatch):
    pytest.importorskip("s3fs")
    from training.outbound import filesystems

    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert filesystems._s3_endpoint() is None
    policy = filesystems._s3_policy(None, ("http://proxy.intranet:3128",))
    for host in ("s3.amazonaws.com", "bucket.s3.eu-central-1.amazonaws.com", "bucket.s3.cn-north-1.amazonaws.com.cn"):
        policy.require("https", host, 443)
    policy.require("http", "proxy.intranet", 3128)
    for host in ("amazonaws.com.evil.net", "169.254.169.254", "example.org"):
        with pytest.raises(OutboundRefusedError):
            policy.require("https", host, 443)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.intranet:9000")
    assert filesystems._s3_endpoint() == "https://minio.intranet:9000"


def test_files_at_a_url_are_read_and_a_redirect_is_followed_to_named_hosts_only(web):
    pytest.importorskip("aiohttp")
    web.answer("/a.jsonl", b'{"text": "Rain fell."}\n', "Content-Type: application/x-ndjson")
    [file], _ = find_files([f"{web.url}/a.jsonl"])
    with file.open() as content:
        assert content.read() == b'{"text": "Rain fell."}\n'
    with web_server("127.0.0.2") as inside:
        place = f"http://127.0.0.2:{inside.port}"
        inside.answer("/b.jsonl", b'{"text": "Secret."}\n')
        web.redirect("/b.jsonl", f"{place}/b.jsonl")
        with pytest.raises(InputError, match=r"127\.0\.0\.2"):
            find_files([f"{web.url}/b.jsonl"])
        web.redirect("/c.jsonl", f"http://localhost:{inside.port}/b.jsonl")
        with pytest.raises(InputError, match="localhost"):
            find_files([f"{web.url}/c.jsonl"])
        assert inside.connections == 0
        [file], _ = find_files([f"{web.url}/b.jsonl"], hosts=(place,))
        with file.open() as content:
            assert content.read() == b'{"text": "Secret."}\n'


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.jsonl", "sftp://h/a", "zip://a::smb://h/b.zip", "github://a:b@c/d"])
def test_files_at_other_kinds_of_places_are_refused(url):
    with pytest.raises(InputError, match="is not a kind of place that files are read from"):
        find_files([url])


def test_articles_are_sent_to_the_server_that_a_person_names_and_not_beyond(web):
    with web_server() as other:
        web.redirect("/v1/articles:batch", f"{other.url}/v1/articles:batch", 307)
        with pytest.raises(ServerError, match="sends the content on"):
            IntoServer(web.url, "key", replace=False).store([])
        assert other.connections == 0
    for url in ("ftp://h", "http://", "http://a b", "http://2130706433:1"):
        with pytest.raises(ServerError):
            IntoServer(url, None, replace=False)


# -- the only way out -------------------------------------------------------------------------------------------------

NETWORK = {
    *(
        "socket",
        "ssl",
        "http.client",
        "urllib.request",
        "ftplib",
        "smtplib",
        "poplib",
        "imaplib",
        "telnetlib",
        "xmlrpc",
    ),
    *("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp", "websockets", "grpc", "paramiko"),
    *("fsspec", "s3fs", "gcsfs", "adlfs", "boto3", "botocore", "aiobotocore", "huggingface_hub", "distributed", "dask"),
}
# What else reaches other machines, and why that is held by another rule.
ELSEWHERE = {
    "service/bulk/inputs.py": {"fsspec"},  # opens only with the options of training/outbound
    "service/bulk/cluster.py": {"distributed"},  # the scheduler that a person names on the command line
    "service/bulk/executors.py": {"distributed"},  # the same
}


def _network_imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return {own for own in NETWORK for name in names if name == own or name.startswith(f"{own}.")}


def test_no_other_module_opens_connections_to_other_machines():
    for path in (path for folder in ("labels", "training", "service") for path in (ROOT / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(("training/outbound/", "service/outbound/")):
            continue
        assert _network_imports(path) <= ELSEWHERE.get(name, set()), name
