"""Connections that hold the labelling page's server up, while an annotator labels a round."""

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from noisyactive.annotate import _app, _connections
from noisyactive.annotate._connections import BACKLOG, PLACES, Connection, trusting, who_leaves

PATIENCE = 300  # seconds for what takes none on a machine that is not busy

SERVE = """
import resource, sys
from noisyactive.annotate import _app, _connections, serve

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
_connections.SECONDS.update(ask=3.0, take=2.0)
_app.BODY_SECONDS = 2.5
with serve(sys.argv[1]):
    sys.stdin.read()
"""


class Server:
    """A process that serves a journal, with few file descriptors and little patience."""

    def __init__(self, process, errors):
        self.process = process
        self.errors = errors
        self.url = process.stdout.readline().split()[-1]
        self.address = urlsplit(self.url).hostname, urlsplit(self.url).port
        self.n_open_at_start = self.n_open()

    def n_open(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture
def serve_apart(tmp_path):
    """Serve a journal from another process, which must end well."""

    @contextlib.contextmanager
    def start(journal, n_files=256):
        errors = tmp_path / "errors.txt"
        command = [sys.executable, "-W", "error", "-c", SERVE, str(journal), str(n_files)]
        with errors.open("w") as stderr, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process:  # fmt: skip
            try:
                yield Server(process, errors)
                process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert process.returncode == 0

    return start


def request(page, start="GET /api/state", body=b"", **headers):
    """The bytes of a request from the page itself; of a foreign one, without a token."""
    netloc = urlsplit(page.url).netloc
    token = urlsplit(page.url).query.removeprefix("token=")
    headers = {
        "Host": netloc,
        "Origin": f"http://{netloc}",
        "Cookie": f"noisyactive-{urlsplit(page.url).port}={token}",
        **headers,
    }
    lines = [f"{start} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def no_headers(page):
    return b"", b""


def slow_headers(page):
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"x"


def slow_body(page, **headers):
    kind = {"Content-Type": "application/json", "Content-Length": "30000", **headers}
    return request(page, "POST /api/answers", b'{"comment": "', **kind), b"x"


def slow_body_without_token(page):
    return slow_body(page, Cookie="")


def slow_body_that_nobody_reads(page):
    return request(page, "GET /page.js", **{"Content-Length": "30000"}), b"x"


def slow_headers_after_a_request(page):
    return request(page) + b"GET /api/state HTTP/1.1\r\nX: ", b"x"


def slow_reader(page):
    return request(page, "GET /page.js") * 250, b""  # 5 MB, more than the kernel holds


def tls(page):
    return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, b"\x00"


class Attackers:
    """Many connections that do the same; a byte now and then if `drip` has any."""

    def __init__(self, address, first, drip, count):
        self.drip = drip
        self.sockets = []
        for _ in range(count):
            attacker = self._connect(address)
            self.sockets.append(attacker)
            self._send(attacker, first)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        for attacker in self.sockets:
            attacker.close()

    def _connect(self, address):
        while True:
            attacker = socket.socket()
            attacker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            attacker.settimeout(0.02)
            try:
                attacker.connect(address)
            except TimeoutError:  # the backlog is full: TCP would wait a second, two, four
                attacker.close()
            else:
                attacker.settimeout(PATIENCE)
                return attacker

    def _send(self, attacker, data):
        try:
            attacker.sendall(data)
        except OSError:
            pass  # it was closed already

    def _go_on(self):
        while not self._stop.wait(0.1):
            for attacker in self.sockets:
                self._send(attacker, self.drip)


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def label_the_round(visitor, rows):
    visitor.http.headers["Connection"] = "close"  # each request is a stranger's at first
    for row in rows:
        assert row in [item["row"] for item in visitor.state()["items"]]
        assert visitor.http.get("/page.js").status_code == 200
        assert visitor.answer(row, 0) == "recorded"
    assert visitor.state()["waiting"] == 0


class TestWhoLeaves:
    """Connections are heard in the order in which they are listed."""

    def choose(self, newcomer, *others):
        one = {"address": "a", "known": False, "busy": False}
        everyone = [
            SimpleNamespace(**{**one, "heard": time, **other})
            for time, other in enumerate([*others, newcomer])
        ]
        leaving = who_leaves(everyone[-1], everyone[:-1])
        return None if leaving is None else everyone.index(leaving)

    @pytest.mark.parametrize("known", [False, True])
    def test_nobody_while_there_is_a_place(self, known):
        others = [{"known": known}] * (PLACES - 1) + [{"known": not known}] * 3 * PLACES
        assert self.choose({"known": known}, *others) is None

    @pytest.mark.parametrize("known", [False, True])
    def test_the_oldest_of_its_kind(self, known):
        others = [{"known": not known}] * 5 + [{"known": known}] * (PLACES + 2)
        assert self.choose({"known": known}, *others) == 5

    def test_one_that_is_not_busy(self):
        others = [{"busy": True}] * (PLACES - 1) + [{}]
        assert self.choose({}, *others) == PLACES - 1
        assert self.choose({"busy": True}, *[{"busy": True}] * PLACES) == 0

    def test_of_the_address_that_has_most(self):
        others = [{"address": "b"}] * 3 + [{"address": "c"}] * (PLACES - 3)
        assert self.choose({}, *others) == 3
        apart = [{"address": str(number)} for number in range(PLACES)]
        assert self.choose({}, *apart) == 0


@pytest.fixture
def page(start_run, serving):
    return serving(start_run().journal)


def say(page, *pieces, end=False):
    """Send pieces, perhaps close one half, and return all that is answered until the end."""
    address = urlsplit(page.url).hostname, urlsplit(page.url).port
    answered = b""
    with socket.create_connection(address, PATIENCE) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)  # so that they are likely to arrive apart
            if end:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                answered += piece
        except OSError:
            pass  # it did not listen to the end
    return answered


CHUNKED = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}


class TestLimits:
    @pytest.mark.parametrize("attack", [no_headers, slow_headers, slow_headers_after_a_request])
    def test_headers(self, page, attack, monkeypatch):
        monkeypatch.setitem(_connections.SECONDS, "ask", 1.0)
        address = urlsplit(page.url).hostname, urlsplit(page.url).port
        with Attackers(address, *attack(page), 1) as attackers:
            with contextlib.suppress(ConnectionResetError):
                while attackers.sockets[0].recv(1000):
                    pass

    def test_a_body_that_drips(self, page, monkeypatch):
        monkeypatch.setattr(_app, "BODY_SECONDS", 0.5)
        address = urlsplit(page.url).hostname, urlsplit(page.url).port
        with Attackers(address, *slow_body(page), 1) as attackers:
            assert attackers.sockets[0].recv(1000).startswith(b"HTTP/1.1 408")


class Loop:
    """An event loop whose clock is held, and that runs an application when it is told to."""

    def __init__(self):
        self.now = 0.0
        self.alarms = []
        self.waiting = []

    def time(self):
        return self.now

    def call_later(self, seconds, action):
        alarm = Mock(time=self.now + seconds, action=action)
        alarm.cancel = lambda: self.alarms.remove(alarm) if alarm in self.alarms else None
        self.alarms.append(alarm)
        return alarm

    def create_task(self, work):
        self.waiting.append(work)
        return Mock()

    def work(self):
        with pytest.raises(StopIteration):
            self.waiting.pop(0).send(None)

    def pass_time(self, seconds):
        self.now += seconds
        for alarm in [alarm for alarm in self.alarms if alarm.time <= self.now]:
            self.alarms.remove(alarm)
            alarm.action()


class TestOneConnection:
    @pytest.fixture
    def loop(self):
        return Loop()

    @pytest.fixture
    def connection(self, loop):
        async def answer(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"yes"})

        transport = Mock()
        transport.is_closing.side_effect = lambda: transport.abort.called or transport.close.called
        transport.get_extra_info.return_value = None
        config = uvicorn.Config(trusting(answer), http=Connection, log_config=None)
        connection = Connection(config, ServerState(), {}, loop)
        connection.connection_made(transport)
        return connection

    def ask(self, loop, connection):
        connection.data_received(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n")
        loop.work()
        assert connection.known

    def test_a_byte_now_and_then_gives_no_more_time(self, loop, connection):
        connection.data_received(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(9):
            loop.pass_time(1)
            connection.data_received(b"x")
        connection.transport.abort.assert_not_called()
        loop.pass_time(1)
        connection.transport.abort.assert_called_once()

    def test_each_request_has_its_own(self, loop, connection):
        for _ in range(10):
            loop.pass_time(4.9)
            self.ask(loop, connection)
        connection.transport.abort.assert_not_called()
        for _ in range(9):
            loop.pass_time(1)
            connection.data_received(b"\r\n")
        connection.transport.abort.assert_not_called()
        loop.pass_time(1)
        connection.transport.abort.assert_called_once()

    def test_nothing_comes_between_requests(self, loop, connection):
        self.ask(loop, connection)
        loop.pass_time(4.9)
        connection.transport.close.assert_not_called()
        loop.pass_time(0.1)
        connection.transport.close.assert_called_once()

    def test_the_application_has_all_the_time(self, loop, connection):
        connection.data_received(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n")
        loop.pass_time(1000)
        loop.work()
        assert not connection.transport.is_closing()

    @pytest.mark.parametrize("seconds, stays", [(59, True), (60, False)])
    def test_a_response_is_taken(self, loop, connection, seconds, stays):
        connection.transport.write.side_effect = lambda data: (
            connection.pause_writing() if b"yes" in data else None
        )
        self.ask(loop, connection)
        assert connection.busy
        loop.pass_time(seconds)
        connection.resume_writing()
        assert connection.transport.abort.called is not stays

    def test_headers_that_arrive_at_once_are_limited_too(self, loop, connection):
        headers = b"".join(b"X%d: \r\n" % number for number in range(4000))
        connection.data_received(b"GET / HTTP/1.1\r\nHost: me\r\n" + headers + b"\r\n")
        assert connection.transport.write.call_args_list[0].args[0].startswith(b"HTTP/1.1 400")
        assert loop.waiting == []

    def test_the_clock_ends_with_the_connection(self, loop, connection):
        self.ask(loop, connection)
        connection.connection_lost(None)
        assert loop.alarms == []


class TestStrangeTalk:
    """It is refused, what was asked before is answered, and nothing is an error of the server."""

    @pytest.fixture(autouse=True)
    def no_error(self, caplog):
        yield
        records = caplog.get_records("call")
        assert [record for record in records if record.levelno >= logging.ERROR] == []

    @pytest.mark.parametrize(
        "noise",
        [
            tls,
            lambda page: [bytes(range(256)) * 300],
            lambda page: [b"\r\n" * 5000, b"\0"],
            lambda page: [b"GET / HTTP/1.1\r\n\r\n"],  # no host
            lambda page: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
            lambda page: [b"GET http://[::1 HTTP/1.1\r\nHost: [::1\r\n\r\n"],
            lambda page: [b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"x"],
            lambda page: [request(page, **{"X": "x" * 200_000})],
            lambda page: [request(page, **{f"X{number}": "" for number in range(20_000)})],
            lambda page: [request(page, "GET /" + "x" * 200_000)],
            lambda page: [request(page, "POST /api/answers", b"no chunk\r\n", **CHUNKED)],
            lambda page: [request(page, "POST /api/answers", **CHUNKED), b"no chunk\r\n"],
            lambda page: [request(page, "POST /", b"no chunk\r\n", **CHUNKED, Cookie="")],
            lambda page: [request(page, "POST /api/answers", **{"Content-Length": "-1"})],
        ],
    )
    def test_it_is_refused(self, page, visit, noise):
        answered = say(page, *noise(page))
        assert answered[:10] in (b"", b"HTTP/1.1 4"), answered
        assert b" 200 " not in answered
        visit(page)

    def test_what_follows_an_answer(self, page, visit):
        for noise in (b"garbage\r\n\r\n", b"\x16\x03\x01\r\n", b"GET / HTTP/1.1\r\n: \r\n\r\n"):
            assert say(page, request(page), noise).startswith(b"HTTP/1.1 200")
            assert say(page, request(page) + noise).startswith(b"HTTP/1.1 200")
            answered = say(page, request(page, **CHUNKED), noise)  # the body is noise
            assert answered[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4")
        visit(page)

    def test_many_requests_at_once_are_answered_in_order(self, page):
        paths = ["/page.js", "/api/state", "/nothing", "/api/state", "/page.css"] * 20
        sent = b"".join(request(page, f"GET {path}") for path in paths)
        answered = say(page, sent, request(page, Connection="close"))
        status = re.findall(rb"HTTP/1\.1 (\d+)", answered)
        assert status == [b"200", b"200", b"404", b"200", b"200"] * 20 + [b"200"]

    def test_only_one_half_is_closed(self, page, visit):
        for sent in (b"", b"GET /", request(page), slow_body(page)[0]):
            say(page, sent, end=True)  # until the server closes the other half, too
        visit(page)

    def test_the_page_can_be_closed_while_they_stay(self, page, monkeypatch):
        monkeypatch.setattr(_connections, "CLOSING_SECONDS", 0.5)
        address = urlsplit(page.url).hostname, urlsplit(page.url).port
        with contextlib.ExitStack() as stack:
            for attack in (no_headers, slow_headers, slow_body, slow_reader):
                stack.enter_context(Attackers(address, *attack(page), 3))
            assert say(page, request(page, Connection="close")).startswith(b"HTTP/1.1 200")
            page.close()

    def test_they_leave_in_the_middle(self, page, visit):
        address = urlsplit(page.url).hostname, urlsplit(page.url).port
        for sent in (b"GET /", request(page), slow_body(page)[0], slow_reader(page)[0]):
            with socket.create_connection(address, PATIENCE) as connection:
                connection.sendall(sent)
        visit(page)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "attack, count",
    [
        (no_headers, 200),
        (slow_headers, 200),
        (slow_body, 200),
        (slow_body_without_token, 200),
        (slow_body_that_nobody_reads, 200),
        (slow_headers_after_a_request, 200),
        (slow_reader, 50),
        (slow_reader, PLACES + 10),
        (tls, 200),
    ],
)
def test_an_annotator_labels_a_round(start_run, serve_apart, visit, attack, count):
    run = start_run()
    with serve_apart(run.journal) as server:
        with Attackers(server.address, *attack(server), count):
            assert server.n_open() <= server.n_open_at_start + 2 * (PLACES + BACKLOG)
            visitor = visit(server)
            label_the_round(visitor, run.rows)
            visitor.http.close()
            wait_until(lambda: server.n_open() == server.n_open_at_start)
        assert visit(server).state()["waiting"] == 0
    assert "Traceback" not in server.errors.read_text()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_fewer_file_descriptors_than_places(start_run, serve_apart, visit):
    """Where asyncio cannot accept a connection, it tries again a second later."""
    run = start_run()
    with serve_apart(run.journal, n_files=64) as server:
        with Attackers(server.address, *slow_headers(server), 200):
            visitor = visit(server)
            label_the_round(visitor, run.rows)
            visitor.http.close()
            wait_until(lambda: server.n_open() == server.n_open_at_start)
