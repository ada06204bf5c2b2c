import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite the expected results of text cases"
    )


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether to rewrite expected results instead of comparing with them."""
    return request.config.getoption("--update")
