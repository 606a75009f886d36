"""One message to one address, by Apprise, within a time that is bounded whatever the address does."""

import logging
from functools import partial

from taxi_platform.operations.alerts.addresses import Address
from taxi_platform.operations.alerts.message import Message, cut
from taxi_platform.redaction import redact

SECONDS = 10.0  # until an address must have taken a message
_MOST_REASON = 300  # characters


def deliver(address: Address, message: Message) -> str | None:
    """Send a message. Never raises.

    Returns:
        Why it could not be delivered, without secrets; nothing when it has been.
    """
    hidden = partial(redact, secrets=list(address.secrets()))
    try:
        return _send(address, message, hidden)
    except Exception as error:  # a plugin of a service may raise anything, and the next address is none of its business
        return hidden(cut(f"{type(error).__name__}: {error}", _MOST_REASON))


def problem_with(address: Address) -> str | None:
    """Why Apprise cannot use an address; nothing when it can. No message is sent."""
    import apprise

    _hide_in_logs(address)
    if apprise.Apprise().add(address.url):
        return None
    scheme = address.url.partition("://")[0].lower()
    known = any(scheme in service for service in _schemes())
    return "a part of it is missing or wrong" if known else f"Apprise knows no service {scheme}://"


def _schemes() -> list[set[str]]:
    import apprise

    plugins = apprise.Apprise().details()["schemas"]
    return [{*(one["protocols"] or ()), *(one["secure_protocols"] or ())} for one in plugins]


def _send(address: Address, message: Message, hidden: "partial[str]") -> str | None:
    import apprise

    _hide_in_logs(address)
    service = apprise.Apprise()
    if not service.add(address.url):
        return problem_with(address)
    result = service.notify(
        body=message.body,
        title=message.title,
        notify_type=apprise.NotifyType.FAILURE,
        body_format=apprise.NotifyFormat.TEXT,
        timeout=SECONDS,
    )
    if result:
        return None
    if result.status == apprise.AppriseResultStatus.TIMEOUT:
        return f"no answer within {SECONDS:.0f} s"
    said = " ".join(entry.message for entry in result.logs())
    return cut(hidden(said), _MOST_REASON) or "Apprise does not say why"


class _Redacting(logging.Filter):
    """Takes the secrets of addresses out of Apprise's own log lines, which quote a token that it does not like."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the line pass, reworded."""
        record.msg, record.args = redact(record.getMessage(), self.secrets), None
        return True


_APPRISE_LOG = _Redacting()


def _hide_in_logs(address: Address) -> None:
    _APPRISE_LOG.secrets.update(address.secrets())
    logging.getLogger("apprise").addFilter(_APPRISE_LOG)  # once, however often it is added
