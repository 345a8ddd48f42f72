import pytest

from dashboard.starting.checks import Address, address_of


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("desk.internal", "http://desk.internal:8000"),
    ],
)
def test_the_printed_address_is_one_a_browser_on_this_machine_can_open(host, url):
    assert Address(host, 8000).url == url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:12111", Address("127.0.0.1", 12111)),
        ("http://[::1]:12111", Address("::1", 12111)),
        ("http://sandbox", Address("sandbox", 80)),
        ("https://sandbox", Address("sandbox", 443)),
    ],
)
def test_an_url_names_a_host_and_a_port(url, address):
    assert address_of(url) == address
