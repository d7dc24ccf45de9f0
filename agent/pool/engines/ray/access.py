"""The token that the processes of a Ray cluster ask each other for."""

import secrets

_MISSING = "no authentication token was found"  # of Ray, before it connects


def access(address: str) -> dict[str, str]:
    """Return what the environment of the driver needs beside that of the command.

    A Ray that is started here gets a token of its own: else Ray would leave one in the home folder,
    fail without such a folder, and ask for it when a cluster is started later. For a cluster what
    the user has set counts.
    """
    if address:
        return {}
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def is_refused(error: BaseException | None) -> bool:
    """Return whether a cluster refused for lack of the right token, by an error or its causes."""
    while error is not None:
        if "AuthToken" in str(error) or type(error).__name__ == "AuthenticationError":
            return True
        error = error.__cause__
    return False


def refusal(address: str, error: BaseException) -> str:
    """Return what to do about a token; `address` as shown, `error` as of `is_refused`."""
    if _MISSING in str(error):
        return (
            f"cannot connect to Ray at {address}: RAY_AUTH_MODE=token is set, and there is no "
            "token here. If the cluster asks for one, put that of its head into ~/.ray/auth_token "
            "(or name its file in RAY_AUTH_TOKEN_PATH); if it asks for none, unset RAY_AUTH_MODE"
        )
    return (
        f"cannot connect to Ray at {address}: it asks for a token. Put that of the cluster's head "
        "into ~/.ray/auth_token (or name its file in RAY_AUTH_TOKEN_PATH) and set "
        "RAY_AUTH_MODE=token"
    )
