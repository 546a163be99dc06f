"""The pages that a person sees while signing in. Nothing on them comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

SIMULATED_NOTE: Final = "Simulated Schwab: no real account"

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #eef2f5; color: #17212b; }
main { max-width: 30rem; margin: 8vh auto; padding: 2rem; background: #fff;
  border: 1px solid #ccd6de; border-radius: .5rem; }
.note { background: #fff3cd; color: #5c4400; border: 1px solid #e5cf87; border-radius: .25rem;
  padding: .5rem .75rem; font-weight: 600; }
.problem { color: #9b1c1c; font-weight: 600; }
fieldset { border: 1px solid #ccd6de; border-radius: .25rem; margin: 1rem 0; }
label { display: block; padding: .25rem 0; }
button { font: inherit; padding: .5rem 1.25rem; border-radius: .25rem; border: 1px solid #0b6fa4;
  background: #0b6fa4; color: #fff; cursor: pointer; }
button.quiet { background: transparent; color: #0b6fa4; }
@media (prefers-color-scheme: dark) {
  body { background: #10161b; color: #e3e9ee; }
  main { background: #19222a; border-color: #33424e; }
  button.quiet { color: #7cc4ea; }
}
"""


def consent_page(
    app_key: str, consent_id: str, accounts: Sequence[str], action: str, problem: str | None = None
) -> str:
    """Return the form that links accounts to an application.

    Args:
        app_key: Which application asks.
        consent_id: Names this request in the form.
        accounts: Account names to tick.
        action: Where the form is sent.
        problem: What was wrong with the form sent before.
    """
    boxes = "\n".join(
        f'<label><input type="checkbox" name="account" value="{number}" checked> '
        f"{escape(name)}</label>"
        for number, name in enumerate(accounts, start=1)
    )
    warning = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Link accounts",
        f"""<p class="note">{SIMULATED_NOTE}</p>
<h1>Link your accounts</h1>
<p>The application <strong>{escape(app_key)}</strong> asks for access. No user name and no
password are needed here: never type your real ones.</p>
{warning}
<form method="post" action="{escape(action)}">
<input type="hidden" name="consent" value="{escape(consent_id)}">
<fieldset><legend>Accounts</legend>
{boxes}
</fieldset>
<button type="submit" name="decision" value="approve">Approve</button>
<button type="submit" name="decision" value="decline" class="quiet">Decline</button>
</form>""",
    )


def access_denied_page(reason: str) -> str:
    """Return the page of a callback URL that is not the registered one. [O]"""
    return _page(
        "Access Denied",
        f'<p class="note">{SIMULATED_NOTE}</p>\n<h1>Access Denied</h1>\n<p>{escape(reason)}</p>',
    )


def whitelabel_page(status: int) -> str:
    """Return what an application sees that is not ready for use. [O]"""
    return _page(
        "Error",
        f"""<p class="note">{SIMULATED_NOTE}</p>
<h1>Whitelabel Error Page</h1>
<p>We are unable to complete your request. Please contact customer service for further
assistance.</p>
<p>status={status}</p>""",
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {SIMULATED_NOTE}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )
