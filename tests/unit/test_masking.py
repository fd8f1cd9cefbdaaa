from __future__ import annotations

import base64
import html
import json
import shlex
import subprocess
import sys
import textwrap
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.masking import MARK, Masker, MaskingStream
from deployer.masking.forms import is_trivial
from deployer.model import Secret

PASSWORD = "p&ss/w<o>rd \"q\" 'x' \\ é+=?%1"
PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n".format(
    "\n".join(base64.b64encode(bytes(range(index, index + 48))).decode() for index in range(0, 192, 12)) + "\nc2hvcnQ="
)


@pytest.mark.parametrize(
    "spelling",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD).lower(),
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        json.dumps(json.dumps({"a": PASSWORD}, ensure_ascii=False), ensure_ascii=False),
        json.dumps(PASSWORD).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        json.dumps(PASSWORD).replace("\\u00e9", "\\u00E9"),
        repr(PASSWORD),
        shlex.quote(PASSWORD),
        "'" + PASSWORD.replace("'", "'\\''") + "'",
        subprocess.check_output(["bash", "-c", 'printf %q "$1"', "-", PASSWORD.replace("é", "e")], text=True),
        html.escape(PASSWORD, quote=False),
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
    ],
)
def test_every_spelling_is_masked_wholly(spelling: str) -> None:
    masker = Masker([PASSWORD, PASSWORD.replace("é", "e")])
    assert masker.mask(f"before {spelling} after").replace("'", "").replace('"', "").replace("\\", "") in (
        f"before {MARK} after",
        f"before {{a: {MARK}}} after",
    )


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "s3cr3", "pa?ss>wörd~~~", "x" * 20 + "yz" * 70])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "@host", "zz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_at_every_alignment(secret: str, before: str, after: str, encode: object) -> None:
    text = encode((before + secret + after).encode()).decode()  # type: ignore[operator]
    masked = Masker([secret]).mask(text)
    assert MARK in masked
    # At most the characters at the borders, which hold bits of the neighbours, and the neighbours themselves stay.
    assert len(masked.replace(MARK, "").rstrip("=")) <= (len(before) + len(after)) * 8 / 6 + 3


def test_a_wrapped_base64_text_is_masked() -> None:
    text = "\n".join(textwrap.wrap(base64.b64encode(b"user:" + PASSWORD.encode() * 3).decode(), 20))
    masked = Masker([PASSWORD]).mask(text)
    assert MARK in masked
    assert len(masked.replace(MARK, "").replace("\n", "")) < 12 + 3


def test_a_multi_line_secret_is_masked_as_a_whole_and_line_by_line() -> None:
    masker = Masker([PEM])
    assert masker.mask(f"key: {PEM}end") == f"key: {MARK}\nend"
    assert masker.mask(f"key: {PEM}".replace("\n", "\r\n")) == f"key: {MARK}\r\n"
    for line in PEM.splitlines()[1:-1]:
        assert masker.mask(f"#12 0.3 {line}!") == f"#12 0.3 {MARK}!"
    assert masker.mask(json.dumps({"key": PEM})) == json.dumps({"key": MARK + "\n"})
    assert masker.mask("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_part_of_a_long_secret_is_masked() -> None:
    long = "".join(chr(33 + index * 7 % 90) + chr(97 + index % 26) for index in range(400))
    masked = Masker([long]).mask("... " + long[100:500])
    assert MARK in masked
    assert len(masked) < 4 + 2 * 64 + len(MARK)


def test_secrets_that_overlap_are_both_masked() -> None:
    assert Masker(["abcdef", "defghi"]).mask("xabcdefghix") == f"x{MARK}x"
    assert Masker(["abcdef", "abcdefgh"]).mask("xabcdefghx") == f"x{MARK}x"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "2",
        "true",
        "null",
        "8080",
        "-1.5",
        "1234567",
        "0.0.1",
        "v1.2.3-rc1",
        "Production",
        "localhost",
        "aaaaaaa",
    ],
)
def test_trivial_values_are_left_alone(value: str) -> None:
    text = f"the value <{value}> stays"
    assert is_trivial(value)
    assert Masker([value]).mask(text) == text


@pytest.mark.parametrize("value", ["Hello", "12345678", "much@wow", "psql://much@wow:7654", "a b c", "10.0.0.1x"])
def test_other_values_are_masked(value: str) -> None:
    assert Masker([value]).mask(f"the value <{value}> goes") == f"the value <{MARK}> goes"


def test_public_words_are_left_alone() -> None:
    masker = Masker(["myapp", "what3words.com", "hunter2"], public=["myapp", "what3words.com"])
    assert masker.mask("myapp.what3words.com hunter2") == f"myapp.what3words.com {MARK}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("psql://much:veryw0w@db:7654/x", ["veryw0w"]),
        ("postgres://app:S3cr%2Ft%21Pass@db/x", ["S3cr%2Ft%21Pass", "S3cr/t!Pass", "S3cr%2ft%21Pass"]),
        ("jdbc:postgresql://app:S3cr%2Ft%21Pass@db/x", ["S3cr%2Ft%21Pass", "S3cr/t!Pass"]),
        ("redis://:S3cr/t#Pass@cache:6379/0", ["S3cr/t#Pass"]),
        ("https://ghp_AbCdEf0123456789@github.com/org/repo.git", ["ghp_AbCdEf0123456789"]),
        ("https://ghp_AbCdEf0123456789:x-oauth-basic@github.com/org/repo.git", ["ghp_AbCdEf0123456789"]),
        ("https://sk_live_0123456789ab:@api.example/v1", ["sk_live_0123456789ab"]),
        ("jdbc:mysql://db/x?user=app&password=S3cr%2Ft%21Pass%2Blong", ["S3cr%2Ft%21Pass%2Blong", "S3cr/t!Pass+long"]),
        ("amqp://u:pass-one-1@a/x,amqp://u:pass-two-2@b/x", ["pass-one-1", "pass-two-2"]),
        ("https://hooks.example/x?mail=a@b.test", []),
        ("http://[broken:hunter2-x@x", ["hunter2-x"]),
    ],
)
def test_credentials_in_a_url_are_masked_alone_too(url: str, shown: list[str]) -> None:
    masker = Masker([url])
    for text in (url, *shown):
        assert masker.mask(f"is ({text})") == f"is ({MARK})"


def test_names_in_a_url_are_not_masked() -> None:
    masker = Masker(["postgres://application-reader:veryw0w-1@database.example:5432/orders?sslmode=verify-full"])
    for name in ("application-reader", "database.example", "5432", "orders", "verify-full"):
        assert masker.mask(name) == name
    assert Masker(["ssh://deployer@build.example/x"]).mask("deployer at build.example") == "deployer at build.example"


@pytest.mark.parametrize(
    "secret", ["q83vEjRWeJq83vEjR/+keA==", "q83vEjRWeJq83vEjR_-keA", "q83vEjRWeJq83vEjR/+k" * 9 + "eA=="]
)
def test_base64_is_masked_in_both_alphabets_and_without_padding(secret: str) -> None:
    masker = Masker([secret])
    for text in (secret.replace("-", "+").replace("_", "/"), secret.replace("+", "-").replace("/", "_")):
        bare = text.rstrip("=")
        assert masker.mask(f"is ({bare})") == f"is ({MARK})"
        assert masker.mask(f"is ({text})") in (f"is ({MARK})", f"is ({MARK}==)")


def test_secrets_can_be_added_also_as_secret_objects() -> None:
    masker = Masker()
    assert masker.mask("hunter2") == "hunter2"
    masker.add([Secret("hunter2")])
    assert masker.mask("hunter2") == MARK


def test_short_patterns_do_not_reach_over_a_line_break() -> None:
    assert Masker(["abcdef"]).mask("it was abc\ndef was it") == "it was abc\ndef was it"
    assert Masker(["abcdefgh"]).mask("it was abcd\nefgh was it") == f"it was {MARK} was it"


def test_unicode_and_lone_surrogates_do_no_harm() -> None:
    assert Masker(["pä\U0001f600sswörd"]).mask("x pä\U0001f600sswörd x") == f"x {MARK} x"
    assert Masker(["\udcff\udcfe\udcfdabc"]).mask("x \udcff\udcfe\udcfdabc") == f"x {MARK}"


def stream(masker: Masker, chunks: list[str]) -> str:
    masking = masker.stream()
    return "".join([*(masking.feed(chunk) for chunk in chunks), masking.flush()])


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "s3cr3t", PASSWORD, "ab" * 100 + "c"])
def test_a_stream_masks_a_secret_cut_anywhere(secret: str) -> None:
    masker = Masker([secret, "another"])
    for cut in range(len(secret) + 1):
        assert stream(masker, ["x ", secret[:cut], secret[cut:], " y\n"]) == f"x {MARK} y\n"
    assert stream(masker, list(f"x {secret} y")) == f"x {MARK} y"


def test_a_stream_masks_a_secret_cut_by_a_line_break_anywhere() -> None:
    secret = "hunter2-hunter2"
    for cut in range(1, len(secret)):
        shown = stream(Masker([secret]), ["x " + secret[:cut] + "\n", secret[cut:] + " y\n"])
        assert shown.replace("\n", "") == f"x {secret[:cut] if cut < 4 else ''}{MARK} y"


def test_a_stream_masks_a_multi_line_secret_that_comes_line_by_line() -> None:
    assert stream(Masker([PEM]), f"key: {PEM}end\n".splitlines(keepends=True)) == f"key: {MARK}\nend\n"


def test_a_stream_shows_lines_at_once() -> None:
    masking = Masker(["hunter2-2retnuh"]).stream()
    assert masking.feed("this ends with h\n") == "this ends with h\n"
    assert masking.feed("hunter2-2retnuh.\n") == f"{MARK}.\n"
    assert masking.feed("not hunter\n") == "not "
    assert masking.feed("next\n") == "hunter\nnext\n"


def test_a_stream_learns_of_secrets_added_meanwhile() -> None:
    masker = Masker()
    masking = masker.stream()
    assert masking.feed("hunter2 ") == "hunter2 "
    masker.add(["hunter2"])
    assert masking.feed("hunter2 ") == f"{MARK} "


TEXT = st.text("abc\n", max_size=60)


@given(st.lists(st.text("abc", min_size=5, max_size=12), max_size=4), st.lists(st.text("abc", max_size=9), max_size=12))
def test_a_stream_without_line_breaks_shows_what_mask_shows(secrets: list[str], chunks: list[str]) -> None:
    masker = Masker(secrets)
    assert stream(masker, chunks) == masker.mask("".join(chunks))


@given(st.lists(st.text("abc", min_size=8, max_size=12), max_size=4), st.lists(TEXT, max_size=6))
def test_a_stream_never_shows_a_secret(secrets: list[str], chunks: list[str]) -> None:
    shown = stream(Masker(secrets), chunks)
    assert not any(secret in shown for secret in secrets if not is_trivial(secret))


@given(st.lists(st.text("abcd", min_size=5, max_size=12), max_size=4), st.text("abcd", max_size=80))
def test_masking_hides_exactly_the_secrets(secrets: list[str], text: str) -> None:
    hidden = set()
    for secret in (value for value in secrets if not is_trivial(value)):
        for start in range(len(text)):
            if text.startswith(secret, start):
                hidden |= set(range(start, start + len(secret)))
    expected = "".join("\0" if index in hidden else letter for index, letter in enumerate(text))
    while "\0\0" in expected:
        expected = expected.replace("\0\0", "\0")
    assert Masker(secrets).mask(text) == expected.replace("\0", MARK)


def test_what_is_held_back_is_bounded() -> None:
    masking = Masker(["hunter2-hunter2"]).stream()
    assert masking.feed("hunter2" + "\n" * 5000 + "x")
    assert isinstance(masking, MaskingStream)


def test_threads_may_mask_while_others_add() -> None:
    masker = Masker(["hunter2-0"])
    failures: list[str] = []

    def work(number: int) -> None:
        masker.add([f"hunter2-{number}"])
        if masker.mask(f"a hunter2-{number} b hunter2-0") != f"a {MARK} b {MARK}":
            failures.append(str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_nothing_heavy_is_imported_before_there_is_a_secret() -> None:
    code = (
        "import sys; from deployer.masking import Masker; Masker().mask('x'); Masker().stream().feed('x');"
        "sys.exit(any(name in sys.modules for name in ('ahocorasick_rs', 'deployer.masking.forms')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
