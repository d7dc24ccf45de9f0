"""Names of variables that one may expect, and that are none."""

from collections.abc import Mapping

_IN_A_FILE = (
    "the token of the API is no variable; write it into the file api_token in "
    "$CREDENTIALS_DIRECTORY; as a service, into /etc/capture-agent/api_token"
)
_HOST_PORT = "AGENT_API has both, as HOST:PORT"

EXPECTED: Mapping[str, str] = {
    "AGENT_API_TOKEN": _IN_A_FILE,
    "AGENT_API_KEY": _IN_A_FILE,
    "AGENT_API_PASSWORD": _IN_A_FILE,
    "AGENT_API_TLS_KEY": "put the key into the file of AGENT_API_TLS_CERT, with the certificate",
    "AGENT_API_HOST": _HOST_PORT,
    "AGENT_API_PORT": _HOST_PORT,
}
"""The fix of each: the variable that resembles it most would be the wrong one."""
