"""The status page as a browser shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from deployer.report.status_page import status_page
from tests.sandbox.browser import Browser, browser
from tests.unit.report.stages import stage

# Runs in a copy of the page without its policy, which forbids all scripts.
MEASURE = """
<script>
  const style = getComputedStyle(document.body), root = document.documentElement;
  const heads = [...document.querySelectorAll('thead')].map(head => getComputedStyle(head).display);
  document.title = [root.scrollWidth > innerWidth, innerWidth, heads[0], style.backgroundColor, style.color].join('|');
</script>
</body>
"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "page.html"
    file.write_text(text)
    return file


def measured(chrome: Browser, tmp_path: Path, **options: object) -> list[str]:
    """Whether it is wider than the window, the window's width, how the table's head is shown, its colours."""
    page = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", status_page(stage()))
    file = write(tmp_path, page.replace("</body>", MEASURE))
    found = re.search(r"<title>([^<]*)</title>", chrome.document(file, **options))  # type: ignore[arg-type]
    assert found
    return found[1].split("|")


def test_what_the_page_says(chrome: Browser, tmp_path: Path) -> None:
    dom = chrome.document(write(tmp_path, status_page(stage())))
    assert re.findall(r'<th scope="col">([^<]*)</th>', dom) == ["App", "london", "virginia", "seoul"]
    assert re.findall(r'<th scope="row">([^<]*)</th>', dom) == [
        "api",
        "billing",
        "catalogue",
        "jobs",
        "later",
        "odd",
        "search",
    ]
    cells = re.findall(r'<td class="([a-z ]*)">', dom)
    assert [cells.count(health) for health in ("well", "busy", "skewed", "broken", "absent", "unknown")] == [
        8,
        1,
        3,
        2,
        3,
        1,
    ]
    assert "version 1.9.0 (elsewhere 2.0.0)" in dom
    assert "locked by ben@laptop" in dom


def test_nothing_is_asked_for(chrome: Browser, tmp_path: Path) -> None:
    chrome.asked.clear()
    chrome.document(write(tmp_path, status_page(stage())))
    assert chrome.asked == []
    chrome.document(write(tmp_path, '<img src="http://evil.example/x.png">'))
    assert chrome.asked == ["http://evil.example/x.png"], "the proof itself does not work"


def test_markup_in_a_version_is_text(chrome: Browser, tmp_path: Path) -> None:
    dom = chrome.document(write(tmp_path, status_page(stage())))
    assert "<img" not in dom
    assert '<img src="https://evil.example/x.png" onerror="alert(1)">' in unescape(dom)


def test_scripts_would_not_run(chrome: Browser, tmp_path: Path) -> None:
    page = status_page(stage()).replace("</body>", "<script>document.title = 'ran'</script></body>")
    assert "<title>ran</title>" not in chrome.document(write(tmp_path, page))


def test_it_fits_on_a_phone(chrome: Browser, tmp_path: Path) -> None:
    wider, _, head, *_ = measured(chrome, tmp_path, width=1280)
    assert (wider, head) == ("false", "table-header-group")
    wider, width, head, *_ = measured(chrome, tmp_path, width=500)
    assert int(width) <= 500
    assert (wider, head) == ("false", "none")


def test_light_and_dark(chrome: Browser, tmp_path: Path) -> None:
    light, dark = (measured(chrome, tmp_path, dark=dark)[3:] for dark in (False, True))
    brightness = [[sum(map(int, re.findall(r"\d+", colour))) for colour in colours] for colours in (light, dark)]
    (light_page, light_text), (dark_page, dark_text) = brightness
    assert light_page > 600 > 150 > light_text
    assert dark_text > 600 > 150 > dark_page


def test_a_picture_of_it(chrome: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    chrome.picture(write(tmp_path, status_page(stage())), file)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 20_000, "it is blank"
