"""Attacks on the labelling page's server: by other sites, other users, and who knows the token."""

import http.client
import json
import os
import socket
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from noisyactive.annotate import _app, _guard, serve
from noisyactive.annotate._guard import is_own_host
from noisyactive.cleaning import Journal

get = partial(httpx.get, timeout=300)

PATHS = (
    "/", "/page.js", "/viewer.js", "/page.css", "/icon.svg", "/api/state", "/api/previous",
    "/api/images/0", "/api/answers", "/favicon.ico", "/nothing",
)  # fmt: skip


@pytest.fixture
def page(start_run, serving):
    run = start_run()
    page = serving(run.journal, lambda row: run.X[row])
    page.run = run
    return page


def secret_of(page):
    return urlsplit(page.url).query.removeprefix("token=")


class TestToken:
    def test_it_is_long_and_new_each_time(self, start_run, serving):
        journal = start_run().journal
        tokens = {secret_of(serving(journal)) for _ in range(3)}
        assert len(tokens) == 3 and min(map(len, tokens)) >= 43  # 256 bits

    @pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ff%00é"])
    def test_without_it_nothing_is_learnt(self, page, query):
        origin = f"http://{urlsplit(page.url).netloc}"
        port = urlsplit(page.url).port
        answers = set()
        for cookies in ({}, {f"noisyactive-{port}": "wrong"}, {f"noisyactive-{port}": ""}):
            with httpx.Client(base_url=origin, cookies=cookies, timeout=300) as client:
                for path in PATHS:
                    for method in ("GET", "POST", "PUT", "OPTIONS"):
                        response = client.request(method, path + query)
                        answers.add((response.status_code, response.text))
                        assert "set-cookie" not in response.headers
        [(status, text)] = answers
        assert status == 403 and "image" not in text and secret_of(page) not in text

    def test_the_right_one_in_the_wrong_place(self, page):
        origin = f"http://{urlsplit(page.url).netloc}"
        assert get(f"{origin}/api/state?token={secret_of(page)}").status_code == 403

    def test_a_part_of_it_is_not_enough(self, page):
        assert get(page.url[:-1]).status_code == 403
        assert get(f"{page.url}A").status_code == 403

    def test_it_is_compared_in_constant_time(self, page, monkeypatch):
        compared = []

        def compare(given, wanted):
            compared.append(wanted)
            return given == wanted

        monkeypatch.setattr(_guard.hmac, "compare_digest", compare)
        origin = f"http://{urlsplit(page.url).netloc}"
        for url in (page.url, f"{origin}/api/state", f"{origin}/?token=x"):
            get(url)
        assert compared == [secret_of(page).encode()] * 3

    def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, page):
        cookie = get(page.url).headers["set-cookie"]
        assert cookie.startswith(f"noisyactive-{urlsplit(page.url).port}=")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))

    @pytest.mark.parametrize("token", ["short", "x" * 15, "spaces are not allowed", "a;b" * 9, ""])
    def test_a_weak_or_strange_one_is_refused(self, page, token):
        with pytest.raises(ValueError, match="token must be at least 16"):
            serve(page.run.journal, token=token)


class TestAddress:
    def test_only_this_machine_can_connect_unless_told(self, page):
        assert urlsplit(page.url).hostname == "127.0.0.1"
        port = urlsplit(page.url).port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing; finds out our own address
            except OSError:
                pytest.skip("this machine has no other address")
            other = probe.getsockname()[0]
        with pytest.raises(OSError):
            socket.create_connection((other, port), timeout=2)

    def test_a_host_can_be_given(self, start_run, serving, capsys):
        page = serving(start_run().journal, host="0.0.0.0")
        assert "not encrypted" in capsys.readouterr().out
        token = secret_of(page)
        port = urlsplit(page.url).port
        assert get(f"http://127.0.0.1:{port}/?token={token}").status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example",
         "10.0.0.7:{port}", "127.0.0.1@evil.example", "127.0.0.1:x", "", "[::1", "localhost:80:80"],
    )  # fmt: skip
    def test_a_name_that_was_rebound_to_it(self, page, visit, host):
        visitor = visit(page)
        host = host.format(port=urlsplit(page.url).port)
        for path in (f"/?token={secret_of(page)}", "/api/state"):
            response = visitor.http.get(path, headers={"Host": host})
            assert response.status_code in (400, 421), response.text
            assert "set-cookie" not in response.headers

    @pytest.mark.parametrize(
        "header, listening, own",
        [
            ("127.0.0.1:8765", "127.0.0.1", True),
            ("localhost:9000", "127.0.0.1", True),  # through a tunnel
            ("LOCALHOST", "127.0.0.1", True),
            ("[::1]:8765", "::1", True),
            ("::1", "::1", False),
            ("192.168.1.5:80", "127.0.0.1", False),
            ("192.168.1.5:80", "0.0.0.0", True),
            ("reading-room.clinic.example", "reading-room.clinic.example", True),
            ("evil.example", "reading-room.clinic.example", False),
            ("evil.example", "0.0.0.0", False),
            (socket.gethostname(), "0.0.0.0", True),
            (socket.gethostname() + ".evil.example", "0.0.0.0", False),
        ],
    )
    def test_own_hosts(self, header, listening, own):
        assert is_own_host(header, listening) is own


class TestOtherSites:
    """The browser has the cookie; another site, or another port of this machine, makes it ask."""

    @pytest.fixture
    def visitor(self, page, visit):
        return visit(page)

    def post(self, visitor, row, **headers):
        body = {"run": visitor.run, "row": row, "answer": 0, "seconds": 1}
        with httpx.Client(
            base_url=visitor.origin, cookies=visitor.http.cookies, timeout=300
        ) as client:
            headers = {"Content-Type": "application/json", **headers}
            return client.post("/api/answers", content=json.dumps(body), headers=headers)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": "http://127.0.0.1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
        ],
        ids=str,
    )
    def test_cannot_write(self, page, visitor, headers):
        response = self.post(visitor, page.run.rows[0], **headers)
        assert response.status_code == 403
        assert Journal(page.run.journal).answers() == []

    def test_its_own_page_can(self, page, visitor):
        first = self.post(visitor, page.run.rows[0], Origin=visitor.origin)
        second = self.post(visitor, page.run.rows[1], **{"Sec-Fetch-Site": "same-origin"})
        assert (first.status_code, second.status_code) == (200, 200)

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    )
    def test_a_form_cannot_write(self, page, visitor, kind):
        headers = {"Content-Type": kind, "Origin": visitor.origin}
        response = self.post(visitor, page.run.rows[0], **headers)
        assert response.status_code == 415
        assert Journal(page.run.journal).answers() == []

    @pytest.mark.parametrize("path", ["/api/state", "/api/images/{row}", "/page.js"])
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_cannot_read(self, page, visitor, path, site):
        path = path.format(row=page.run.rows[0])
        response = visitor.http.get(path, headers={"Sec-Fetch-Site": site})
        assert response.status_code == 403

    def test_a_link_to_the_page_works_from_anywhere(self, page):
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert get(page.url, headers=headers).status_code == 200

    def test_a_get_never_writes(self, page, visitor):
        row = page.run.rows[0]
        path = f"/api/answers?run={visitor.run}&row={row}&answer=0"
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            assert visitor.http.request(method, path).status_code == 405
        assert Journal(page.run.journal).answers() == []


def test_headers_that_bind_the_browser(page, visit):
    visitor = visit(page)
    row = page.run.rows[0]
    refused = get(f"{visitor.origin}/")
    for response in (
        visitor.http.get("/"),
        visitor.http.get("/page.js"),
        visitor.http.get("/api/state"),
        visitor.http.get(f"/api/images/{row}"),
        visitor.http.get("/nothing"),
        visitor.post(row="wrong"),
        refused,
    ):
        policy = dict(
            rule.split(" ", 1) for rule in response.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["form-action"] == "'none'"
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in response.headers


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        ["/../_app.py", "/page.css/../../_app.py", "/..%2f_app.py", "/%2e%2e/%2e%2e/etc/passwd",
         "//etc/passwd", "/index.html", "/page/page.js", "/page.js%00.css", "/..\\_app.py",
         "/api/images/../../../etc/passwd", "/api/images/..%2f..%2fetc%2fpasswd",
         "/api/images/%2fetc%2fpasswd", "/api/images/-1", "/api/images/1.0", "/api/images/0x1",
         "/api/images/", "/api/images/99999999999999", "/api/images/" + "9" * 5000,
         "/api/images/%D9%A3", "/api/previous?back=-1", "/api/previous?back=" + "9" * 5000],
    )  # fmt: skip
    def test_no_request_reaches_the_disk(self, page, visit, path):
        visitor = visit(page)
        connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=300)
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
        connection.request("GET", path, headers={"Cookie": cookie})  # sent as it is written
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status in (400, 404)
        assert b"root:" not in body and b"import" not in body

    def test_rows_that_nobody_asked_about(self, page, visit):
        visitor = visit(page)
        shown = {
            row
            for row in range(len(page.run.ids))
            if visitor.http.get(f"/api/images/{row}").status_code == 200
        }
        assert shown == set(page.run.rows)

    def test_hostile_ids_stay_in_the_folder(self, start_run, serving, visit, tmp_path):
        secret = tmp_path / "secret.png"
        Image.new("L", (4, 4), 99).save(secret)
        folder = tmp_path / "images"
        folder.mkdir()
        (folder / "link.png").symlink_to(secret)
        os.link(secret, folder / "fine.png")
        ids = ["../secret.png", str(secret), "link.png", "..", ".", "secret\0.png", "x\n/../secret"]
        ids += ["fine", *(f"row {number}" for number in range(100))]
        run = start_run(ids=ids, n_rounds=1, round_budget=108)
        visitor = visit(serving(run.journal, folder))
        status = {ids[row]: visitor.http.get(f"/api/images/{row}").status_code for row in run.rows}
        assert len(status) == len(ids)
        assert [name for name, code in status.items() if code == 200] == ["fine"]
        assert set(status.values()) == {200, 422}


class TestSizes:
    def test_a_body_too_long(self, page, visit):
        visitor = visit(page)
        response = visitor.post(row=page.run.rows[0], answer=0, comment="x" * 40_000)
        assert response.status_code == 413

    def test_a_body_too_long_in_chunks_without_a_length(self, page, visit):
        visitor = visit(page)
        sent = []

        def chunks():
            for _ in range(2000):
                sent.append(1)
                yield b" " * 65_536

        headers = {"Content-Type": "application/json"}
        try:
            response = visitor.http.post("/api/answers", content=chunks(), headers=headers)
            assert response.status_code == 413
        except httpx.TransportError:  # it did not listen to the end
            pass
        assert len(sent) < 2000
        assert visitor.answer(page.run.rows[0], 0) == "recorded"

    def test_a_body_that_never_ends(self, page, visit, monkeypatch):
        monkeypatch.setattr(_app, "BODY_SECONDS", 0.3)
        visitor = visit(page)
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
        head = (
            f"POST /api/answers HTTP/1.1\r\nHost: {urlsplit(page.url).netloc}\r\n"
            f"Origin: {visitor.origin}\r\nCookie: {cookie}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        with socket.create_connection(("127.0.0.1", urlsplit(page.url).port), 300) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 408")

    def test_a_header_too_long(self, page, visit):
        visitor = visit(page)
        try:
            response = visitor.http.get("/api/state", headers={"X": "x" * 1_000_000})
            assert response.status_code in (400, 431)
        except httpx.TransportError:
            pass
        assert visitor.answer(page.run.rows[0], 0) == "recorded"


def test_what_is_no_http(page, visit):
    port = urlsplit(page.url).port
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), 300) as connection:
            connection.sendall(noise)
    with httpx.Client(base_url=page.url, timeout=300) as client:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        assert client.get("/api/state", headers=upgrade).status_code in (403, 421)
    visit(page)


def test_the_token_is_not_logged(page, visit, caplog, capsys):
    visitor = visit(page)
    visitor.http.get("/nothing")
    get(f"{visitor.origin}/?token=guess")
    assert secret_of(page) not in "".join(
        record.getMessage() for record in caplog.records if record.name != "httpx"
    )
    captured = capsys.readouterr()
    assert secret_of(page) not in captured.out + captured.err


def test_data_never_becomes_markup():
    """The only ways into the page are text, attributes with fixed names, and blob addresses."""
    for name in ("page.js", "viewer.js"):
        source = (_app.PAGE / name).read_text(encoding="utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                    "new Function", "setAttribute(\"on", "DOMParser", "srcdoc"):  # fmt: skip
            assert way not in source, f"{name} uses {way}"
    page = (_app.PAGE / "index.html").read_text(encoding="utf-8")
    assert "style=" not in page and "onclick" not in page and "javascript:" not in page


def test_nothing_comes_from_elsewhere():
    for path in _app.PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "url(//" not in text, path.name


def test_a_closed_page_is_closed(start_run):
    page = serve(start_run().journal)
    with page:
        assert get(page.url).status_code == 200
    with pytest.raises(httpx.ConnectError):
        get(page.url)
    page.close()
