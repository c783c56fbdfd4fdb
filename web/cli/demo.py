"""The demo council."""


def is_empty() -> bool:
    return False


def fill() -> None:
    pass
