"""Auth schemes: how a provider wants to see its key."""


def authorization_line(scheme: str, *, secret: str) -> str:
    """The header line for `bearer`, `header:<name>` or `none`; "" where there is nothing to send."""
    if scheme == "none" or not secret:
        return ""
    if scheme.startswith("header:"):
        return f"{scheme.removeprefix('header:')}: {secret}"
    return f"authorization: Bearer {secret}"
