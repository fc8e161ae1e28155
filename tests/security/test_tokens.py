"""Links: not to be guessed, no word on how near a guess was, good once where once is meant."""

import hmac

import pytest
from small_town import MINUTE
from subscription_town import ANNA, ASKED, TOKEN, mails, subscribed

from alerts.subscriptions import records

HOUR = 60 * MINUTE
GUESSES = ["x" * 43, "A" * 42, "A" * 44, "", "ä" * 43, "%00" * 43, "' OR 1=1 --", "..%2f..%2fsw.js", "0"]


def asked(client, file, **body):
    """The token of a link to confirm."""
    assert client.post("/api/v1/subscriptions", json=ASKED | body).status_code == 202
    return mails(file)[-1][2]


def answers(client, token):
    """Everything that a link can be used for: (status, body) each."""
    api, page = f"/api/v1/subscriptions/{token}", f"/subscriptions/{token}?lang=de"
    tries = [
        client.get(api),
        client.post(f"{api}/confirm"),
        client.put(api, json={"areas": ["oben"]}),
        client.get(f"{api}/export"),
        client.post(f"{api}/unsubscribe"),
        client.delete(api),
        client.get(page),
        client.get(f"/subscriptions/{token}/export?lang=de"),
        *(
            client.post(page, data={"do": do, "area": "oben", "told": "notice"})
            for do in ("confirm", "change", "leave")
        ),
        client.post(page, data={"List-Unsubscribe": "One-Click"}),
    ]
    return [(each.status_code, each.content, each.headers.get("cache-control")) for each in tries]


def test_a_token_is_256_random_bits_and_lies_nowhere_readable(client, file, city):
    tokens = {records.new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(TOKEN.fullmatch(each) for each in tokens)
    assert records.TOKEN_BYTES * 8 == 256
    confirm, manage = asked(client, file, address="b@example.org"), subscribed(client, file)
    disk = b"".join(each.read_bytes() for each in city.folder.glob("subscriptions.db*"))
    assert disk
    for token in (confirm, manage, file.known(ANNA).secrets.leave):
        assert token.encode() not in disk


def test_there_is_one_answer_for_every_link_that_is_not_good(client, file, city):
    unknown = answers(client, "x" * 43)
    assert {status for status, *_ in unknown} == {404}
    used = asked(client, file)
    manage = client.post(f"/api/v1/subscriptions/{used}/confirm").json()["token"]
    leave = file.known(ANNA).secrets.leave
    mails(file)
    assert answers(client, used) == unknown
    expired = asked(client, file, address="b@example.org")
    city.now_us += 72 * HOUR
    assert answers(client, expired) == unknown
    assert client.delete(f"/api/v1/subscriptions/{manage}").status_code == 204
    for token in (manage, leave):
        assert answers(client, token) == unknown
    for guess in GUESSES[1:]:
        if "%2f" not in guess and guess:  # that one is another address, not a link
            assert answers(client, guess) == unknown, guess


@pytest.mark.parametrize("guess", GUESSES)
def test_no_guess_is_an_error_of_ours(client, guess):
    for path in (f"/api/v1/subscriptions/{guess}", f"/subscriptions/{guess}"):
        assert client.get(path).status_code in {404, 405}


def test_a_near_miss_is_a_miss(client, file):
    token = subscribed(client, file)
    for i in range(len(token)):
        other = "B" if token[i] == "A" else "A"
        for near in (token[:i] + other + token[i + 1 :], token[:i] + token[i].swapcase() + token[i + 1 :]):
            if near != token:
                assert client.delete(f"/api/v1/subscriptions/{near}").status_code == 404
    for near in (token[:-1], f"{token}A", f"{token}%20", f"%20{token}", token.upper()):
        assert client.delete(f"/api/v1/subscriptions/{near}").status_code == 404
    assert file.find(token)


def test_what_the_index_finds_is_compared_in_constant_time(client, file, monkeypatch):
    manage, confirm = subscribed(client, file), asked(client, file, address="b@example.org")
    compared = []

    def no(one, other):
        compared.append((bytes(one), bytes(other)))
        return False

    monkeypatch.setattr(hmac, "compare_digest", no)
    for token in (manage, confirm):
        assert client.get(f"/api/v1/subscriptions/{token}").status_code == 404
    assert (records.hashed(manage),) * 2 in compared
    assert (records.hashed(confirm),) * 2 in compared


def test_each_link_does_its_own_and_nothing_else(client, file):
    subscribed(client, file)
    leave = file.known(ANNA).secrets.leave
    confirm = asked(client, file, address="b@example.org")
    api = "/api/v1/subscriptions"
    assert client.get(f"{api}/{leave}").json()["choices"] is None
    assert client.get(f"{api}/{leave}/export").status_code == 404
    assert client.put(f"{api}/{leave}", json={"areas": ["oben"]}).status_code == 404
    assert client.post(f"{api}/{leave}/confirm").status_code == 404
    assert client.get(f"{api}/{confirm}/export").status_code == 404
    assert client.put(f"{api}/{confirm}", json={"areas": ["oben"]}).status_code == 404
    assert client.delete(f"{api}/{confirm}").status_code == 404
    assert file.known(ANNA).choices.places[0].ref == "gierath"
    for token in (leave, confirm):
        page = client.get(f"/subscriptions/{token}?lang=de").text
        assert "anna@example.org" not in page
        assert "b@example.org" not in page


def test_a_link_to_confirm_works_once(client, file):
    token = asked(client, file)
    for _ in range(2):  # programs that scan mail open links, and ask for their heads
        assert client.get(f"/subscriptions/{token}").status_code == 200
        assert client.head(f"/subscriptions/{token}").status_code == 200
    assert file.known(ANNA) is None
    assert client.post(f"/api/v1/subscriptions/{token}/confirm").status_code == 200
    mails(file)
    assert client.post(f"/api/v1/subscriptions/{token}/confirm").status_code == 404
    assert client.post(f"/subscriptions/{token}", data={"do": "confirm"}).status_code == 404
    assert mails(file) == []
    assert file.counts()["email"] == 1


def test_a_used_link_does_not_bring_back_who_has_left(client, file):
    token = asked(client, file)
    manage = client.post(f"/api/v1/subscriptions/{token}/confirm").json()["token"]
    assert client.delete(f"/api/v1/subscriptions/{manage}").status_code == 204
    for again in (token, manage):
        assert client.post(f"/api/v1/subscriptions/{again}/confirm").status_code == 404
    assert file.known(ANNA) is None
    assert file.counts()["email"] == 0


def test_an_old_link_is_dead_to_the_microsecond(client, file, city):
    token = asked(client, file)
    city.now_us += 72 * HOUR - 1
    assert client.get(f"/subscriptions/{token}").status_code == 200
    city.now_us += 1
    assert client.post(f"/api/v1/subscriptions/{token}/confirm").status_code == 404
    assert file.known(ANNA) is None
    file.prune()
    assert file.counts()["unconfirmed"] == 0
