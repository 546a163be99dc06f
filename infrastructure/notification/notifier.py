"""Send one short text to a person: by ntfy, a Slack or Discord webhook, or SMTP.

Where to is one URL, whose scheme names the kind: `ntfy+https://host/topic`,
`slack+https://hooks.slack.com/services/...`, `discord+https://discord.com/api/webhooks/...`,
`smtp://user:password@host:587/from@example.com/to@example.com` (STARTTLS where the server offers
it) or `smtps://...` (TLS from the start). The URLs of Slack and Discord, and a password, are
secrets: nothing here repeats them.

Sources: docs.ntfy.sh/publish (body is the text, `Title` header), Slack incoming webhooks (`text`),
Discord webhooks (`content`, 2000 characters), RFC 5321 and RFC 3207.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import requests

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, NetworkError, ServiceUnavailable
from infrastructure.logging import register_secret

TIMEOUT_S = 10.0
DISCORD_LONGEST = 2000
SMTP_PORT, SMTPS_PORT = 587, 465


class Notifier(Protocol):
    """Tell a person something."""

    def send(self, title: str, text: str) -> None:
        """Send one notice.

        Raises:
            NetworkError: If its server cannot be reached.
            ServiceUnavailable: If its server refuses the notice.
        """


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """Post notices to ntfy, Slack or Discord.

    Attributes:
        kind: `ntfy`, `slack` or `discord`.
        url: Where they go.
    """

    kind: str
    url: Secret

    def send(self, title: str, text: str) -> None:
        """Send one notice. Errors as `Notifier.send`."""
        try:
            answer = self._post(title, text)
        except requests.exceptions.RequestException as error:
            raise NetworkError(
                f"The {self.kind} server of ALGO_TRADER_NOTIFY_URL cannot be reached "
                f"({type(error).__name__})"
            ) from None
        if not answer.ok:
            raise ServiceUnavailable(
                f"The {self.kind} server of ALGO_TRADER_NOTIFY_URL answered {answer.status_code}"
            )

    def _post(self, title: str, text: str) -> requests.Response:
        url = self.url.reveal()
        if self.kind == "ntfy":
            headers = {"Title": title.encode("ascii", "replace").decode("ascii")}
            return requests.post(url, text.encode(), headers=headers, timeout=TIMEOUT_S)
        if self.kind == "slack":
            return requests.post(url, json={"text": f"*{title}*\n{text}"}, timeout=TIMEOUT_S)
        content = f"**{title}**\n{text}"[:DISCORD_LONGEST]
        return requests.post(url, json={"content": content}, timeout=TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class MailNotifier:
    """Mail notices.

    Attributes:
        host: The mail server.
        port: Its port.
        sender: Whom they are from.
        receiver: Whom they go to.
        user: The account, None for a server that asks for none.
        password: Its password.
        tls: TLS from the start; else STARTTLS where the server offers it.
    """

    host: str
    port: int
    sender: str
    receiver: str
    user: str | None
    password: Secret | None
    tls: bool

    def send(self, title: str, text: str) -> None:
        """Send one notice. Errors as `Notifier.send`."""
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = title, self.sender, self.receiver
        message.set_content(text)
        try:
            with self._connection() as server:
                server.send_message(message)
        except smtplib.SMTPException as error:
            raise ServiceUnavailable(
                f"The mail server {self.host} refused the notice ({type(error).__name__})"
            ) from None
        except OSError as error:
            raise NetworkError(
                f"The mail server {self.host} cannot be reached: {error.strerror or error}"
            ) from None

    def _connection(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self.tls:
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif self.password is not None:
                server.close()
                raise smtplib.SMTPNotSupportedError("no STARTTLS, so the password is not sent")
        if self.user is not None and self.password is not None:
            server.login(self.user, self.password.reveal())
        return server


def notifier_of(url: Secret) -> Notifier:
    """Return the notifier that a URL names.

    Raises:
        ConfigError: If it names none; the sentence does not repeat it.
    """
    parts = urlsplit(url.reveal())
    kind, _, transport = parts.scheme.partition("+")
    if kind in ("ntfy", "slack", "discord") and transport in ("http", "https") and parts.hostname:
        target = url.reveal().partition("+")[2]
        register_secret(target)
        return WebhookNotifier(kind, Secret(target))
    people = [part for part in parts.path.split("/") if part]
    if parts.scheme in ("smtp", "smtps") and parts.hostname and len(people) == 2:
        password = None if parts.password is None else unquote(parts.password)
        if password:
            register_secret(password)
        tls = parts.scheme == "smtps"
        return MailNotifier(
            parts.hostname,
            parts.port or (SMTPS_PORT if tls else SMTP_PORT),
            people[0],
            people[1],
            user=None if parts.username is None else unquote(parts.username),
            password=Secret(password) if password else None,
            tls=tls,
        )
    raise ConfigError(
        "ALGO_TRADER_NOTIFY_URL names no way to send a notice",
        next_step="Give it as ntfy+https://host/topic, slack+https://..., discord+https://... or "
        "smtp://user:password@host/from/to.",
    )
