"""A mail server for tests: takes mails over STARTTLS from who logs in, and tells each as a line of JSON.

Arguments: port, certificate, key. Ends when its standard input does.
"""

import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def say(**event):
    print(json.dumps(event), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            say(event="refused", to=address)
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        say(
            event="mail",
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            tls=session.ssl is not None,
            hello=session.host_name,
            user=session.auth_data,
            content=envelope.content.decode(),
        )
        return "250 taken"


def check(server, session, envelope, mechanism, login):
    good = isinstance(login, LoginPassword) and (login.login, login.password) == (b"bench", b"hunter2")
    if not good:
        say(event="denied")
    return AuthResult(success=good, handled=False, auth_data="bench" if good else None)


class Server(SMTP):
    def connection_made(self, transport):
        if not self._over_ssl and self.transport is None:
            say(event="connected")
        super().connection_made(transport)


class Listener(Controller):
    def factory(self):
        return Server(self.handler, **self.SMTP_kwargs)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
listener = Listener(
    Handler(),
    hostname="127.0.0.1",
    port=int(sys.argv[1]),
    tls_context=context,
    require_starttls=True,
    authenticator=check,
    auth_required=True,
    auth_require_tls=True,
)
listener.start()
say(event="ready")
sys.stdin.read()
listener.stop()
