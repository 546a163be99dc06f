"""Sign-in at Schwab: the authorisation-code flow, PKCE, tokens and their store's protocol.

Modules: `application` (key, secret, callback), `authorization` (the URL sent and the URL that
comes back), `client` (code exchange and refresh), `listener` (catches the redirect), `refusals`
(what the token endpoint's errors mean), `tokens` (the token set and who keeps it).
"""

from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import AuthorizationRequest
from infrastructure.schwab.oauth.tokens import MemoryTokenStore, TokenSet, TokenStore

__all__ = [
    "AuthorizationRequest",
    "MemoryTokenStore",
    "SchwabApplication",
    "TokenSet",
    "TokenStore",
]
