"""The page of a stage's status: whole, without anything from elsewhere, and nothing in it that a browser would run."""

from __future__ import annotations

from html.parser import HTMLParser

from deployer.report.status_page import status_page
from tests.unit.report.stages import stage
from tests.unit.report.test_status import check

VOID = frozenset({"meta", "link", "br"})


class Reader(HTMLParser):
    """Keeps tags, their attributes and the text; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page() -> None:
    check("page.html", status_page(stage()))


def test_nothing_comes_from_elsewhere() -> None:
    for tag, attributes in Reader(status_page(stage())).tags:
        assert tag not in ("script", "img", "iframe", "object", "embed", "form", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "data:,") == "data:,"


def test_texts_are_texts() -> None:
    page = Reader(status_page(stage()))
    assert '<img src="https://evil.example/x.png" onerror="alert(1)">' in page.text
    assert "\\x1b[31mmallory" in page.text


def test_secrets_are_masked() -> None:
    page = status_page(stage(), lambda text: text.replace("anna@build-7", "***").replace("timed out", "***"))
    assert "anna@build-7" not in page
    assert "timed out" not in page
    assert "ago by ***" in page


def test_it_is_read_again_only_while_it_is_written_again() -> None:
    def refreshing(refresh: float | None) -> list[str | None]:
        tags = Reader(status_page(stage(), refresh=refresh)).tags
        return [attributes["content"] for _, attributes in tags if attributes.get("http-equiv") == "refresh"]

    assert refreshing(None) == []
    assert refreshing(5.0) == ["5"]
    assert refreshing(0.5) == ["1"]
