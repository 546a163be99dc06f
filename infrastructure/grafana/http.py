"""Send requests to Grafana and turn its refusals into the errors of the tree."""

from __future__ import annotations

from typing import Any

import requests

from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    NetworkError,
    RequestRejected,
    ServiceUnavailable,
)
from infrastructure.logging import register_secret

TIMEOUT_S = 10.0


class GrafanaHttp:
    """Hold one server's address and credentials and send requests to it.

    Args:
        url: Address of the server, with any sub-path.
        token: Service account token; it goes before the password.
        user: Name for basic authentication.
        password: Password for basic authentication; without token and password a request is
            anonymous.
        session: Transport, for tests.
        timeout_s: Seconds to wait for an answer.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None = None,
        user: str = "admin",
        password: Secret | None = None,
        session: requests.Session | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.user = user
        self.password = password
        for secret in (token, password):
            if secret is not None:
                register_secret(secret.reveal())
        self.timeout_s = timeout_s
        self._session = session or requests.Session()
        # Grafana is a service on this machine: no proxy of the environment, no .netrc.
        self._session.trust_env = False

    def __repr__(self) -> str:
        return f"GrafanaHttp({self.url!r})"

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, str] | None = None,
        passed: tuple[int, ...] = (),
        timeout_s: float | None = None,
    ) -> tuple[int, Any]:
        """Send one request and return the status with the decoded JSON answer.

        Args:
            method: HTTP method.
            path: Path below the server's address, with its leading slash.
            body: Value for the JSON body, None for none.
            params: Query parameters.
            passed: Statuses >= 400 that the caller reads itself.
            timeout_s: Seconds to wait for this answer, None for the client's usual ones.

        Raises:
            ServiceUnavailable: Nothing answers, or the server reports that it is down.
            NetworkError: The connection broke or timed out.
            CredentialsRejected: Status 401 or 403.
            RequestRejected: Any other refusal, or an answer that is not JSON.
        """
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        login = None
        if self.token is None and self.password is not None:
            login = (self.user, self.password.reveal())
        try:
            answer = self._session.request(
                method,
                self.url + path,
                json=body,
                params=params,
                headers=headers,
                auth=login,
                timeout=timeout_s or self.timeout_s,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise NetworkError(
                f"Grafana at {self.url} did not answer within {timeout_s or self.timeout_s:g} s",
                next_step="Look at `grafana logs`, then try again.",
            ) from error
        except requests.ConnectionError as error:
            raise ServiceUnavailable(
                f"Grafana does not answer at {self.url}",
                next_step="Start it with `scripts/bazel run //system/algo_trader/clients:grafana`.",
            ) from error
        except requests.RequestException as error:
            raise NetworkError(f"the request to Grafana at {self.url} failed: {error}") from error
        value = _decoded(answer)
        if answer.status_code < 300 or answer.status_code in passed:
            if value is None and answer.status_code < 300:
                raise RequestRejected(
                    f"{self.url} answered {path} with something that is not JSON",
                    next_step="Check that GRAFANA_URL names a Grafana server.",
                    status=answer.status_code,
                )
            return answer.status_code, value
        raise self._refusal(method, path, answer.status_code, value)

    def _refusal(
        self, method: str, path: str, status: int, value: Any
    ) -> CredentialsRejected | RequestRejected | ServiceUnavailable:
        reason = value.get("message", "") if isinstance(value, dict) else ""
        said = f": {reason}" if reason else ""
        if status in (401, 403):
            who = "the token" if self.token else f"the user {self.user}" if self.password else None
            return CredentialsRejected(
                f"Grafana at {self.url} refused {who or 'an anonymous request'} for"
                f" {method} {path}{said}",
                next_step="Set GRAFANA_TOKEN to a service account token with the role Admin.",
                status=status,
            )
        if status >= 500:
            return ServiceUnavailable(
                f"Grafana at {self.url} answered {method} {path} with {status}{said}",
                next_step="Look at `grafana logs`, then try again.",
                status=status,
            )
        return RequestRejected(
            f"Grafana at {self.url} refused {method} {path} with {status}{said}", status=status
        )


def _decoded(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except requests.JSONDecodeError:
        return None
