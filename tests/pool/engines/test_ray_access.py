"""The token of a Ray cluster."""

from agent.pool.engines.ray.access import access, is_refused, refusal


def test_each_ray_that_is_started_here_has_a_token_of_its_own() -> None:
    one, other = access(""), access("")

    assert one["RAY_AUTH_MODE"] == "token"
    assert len(one["RAY_AUTH_TOKEN"]) == 64
    assert one != other


def test_for_a_cluster_what_the_user_has_set_counts() -> None:
    assert access("10.0.0.5:6379") == {}


def test_a_cluster_that_asks_for_a_token_is_told_from_one_that_is_down() -> None:
    """Ray says `Failed to connect`, and the reason as the cause of the cause."""
    refused = ConnectionError("Failed to connect to Ray cluster at 10.0.0.5:6379")
    refused.__cause__ = RuntimeError("failed")
    assert not is_refused(refused)

    refused.__cause__.__cause__ = RuntimeError("RPC error: InvalidAuthToken: missing or incorrect")
    assert is_refused(refused)
    assert "set RAY_AUTH_MODE=token" in refusal("10.0.0.5:6379")
