"""Frames, referrers and caches see nothing of what a link opens."""

import pytest
from subscription_town import ASKED, mails, subscribed


@pytest.fixture
def links(client, file):
    """A link to confirm, one to look after, one to leave, one that is none."""
    manage = subscribed(client, file)
    client.post("/api/v1/subscriptions", json=ASKED)
    ((_, _, confirm),) = mails(file)
    known = file.find(manage)
    leave = file.known(known.contact).secrets.leave
    return [manage, confirm, leave, "x" * 43]


def test_nothing_behind_a_link_is_kept_or_framed_or_told_on(client, links):
    for token in links:
        for path in (
            f"/subscriptions/{token}",
            f"/subscriptions/{token}/export",
            f"/api/v1/subscriptions/{token}",
            f"/api/v1/subscriptions/{token}/export",
        ):
            answer = client.get(path)
            assert "no-store" in answer.headers["cache-control"], path
            assert answer.headers["referrer-policy"] == "no-referrer", path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'self'" in policy
            assert "script-src 'self'" in policy
            assert "form-action 'self'" in policy
            assert "unsafe" not in policy
            assert "etag" not in answer.headers, path
        page = client.get(f"/subscriptions/{token}")
        assert 'content="noindex"' in page.text
        assert page.headers["x-robots-tag"] == "noindex"


def test_buttons_answer_without_being_kept_either(client, links):
    manage, confirm, *_ = links
    for token, do in ((confirm, "confirm"), (manage, "change"), (manage, "leave"), (manage, "leave")):
        answer = client.post(f"/subscriptions/{token}", data={"do": do}, follow_redirects=False)
        assert "no-store" in answer.headers["cache-control"]
    for form in (client.get("/subscribe"), client.post("/subscribe", data={"address": "anna@example.org"})):
        assert "no-store" in form.headers["cache-control"]
        assert "set-cookie" not in form.headers


def test_a_page_with_a_link_loads_nothing_from_elsewhere(client, links):
    for token in links:
        text = client.get(f"/subscriptions/{token}").text
        for attribute in ("src=", "href=", "action="):
            for part in text.split(attribute)[1:]:
                target = part[1 : part.index(part[0], 1)]
                if target.startswith("https://stadt.example/datenschutz"):
                    continue
                assert target.startswith(("/", "?", "#")), target
                assert not target.startswith("//")
