"""Servers that take messages in the place of others: mail by STARTTLS and a login, Slack."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from market.local_server import LocalServer


class MailServer:
    """A mail server as on port 587: it speaks TLS after STARTTLS, and wants a login then.

    Attributes:
        certificate: Its certificate, for those who ask whether to trust it.
        mails: What was sent.
    """

    def __init__(self, folder: Path) -> None:
        self.mails: list[EmailMessage] = []
        self.certificate, key = _write_certificate(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        mail_server = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                mail_server._speak(self)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def address(self) -> str:
        """Airflow's connection to it."""
        return f"smtp://roi%40example.com:secret@127.0.0.1:{self.port}/?disable_ssl=true"

    def _speak(self, handler: StreamRequestHandler) -> None:
        lines, stream, secure, known = handler.rfile, handler.wfile, False, False
        stream.write(b"220 here\r\n")
        while line := lines.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                answer = b"250-here\r\n250 AUTH PLAIN" if secure else b"250-here\r\n250 STARTTLS"
            elif verb == b"STARTTLS" and not secure:
                stream.write(b"220 go\r\n")
                stream.flush()
                connection = self._context.wrap_socket(handler.connection, server_side=True)
                lines, stream, secure = connection.makefile("rb"), connection.makefile("wb"), True
                continue
            elif verb == b"AUTH" and secure:
                answer, known = b"235 welcome", True
            elif verb in (b"MAIL", b"RCPT", b"RSET"):
                answer = b"250 fine" if known else b"530 log in first"
            elif verb == b"DATA" and known:
                stream.write(b"354 go\r\n")
                stream.flush()
                content = b""
                while not content.endswith(b"\r\n.\r\n"):
                    content += lines.readline()
                content = content.removesuffix(b".\r\n")
                mail = message_from_bytes(content, EmailMessage, policy=default)
                self.mails.append(mail)
                answer = b"250 taken"
            else:
                answer = b"221 bye" if verb == b"QUIT" else b"502 what?"
            stream.write(answer + b"\r\n")
            stream.flush()
            if verb == b"QUIT":
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class SlackServer(LocalServer):
    """Takes the messages of incoming webhooks: path and text of each."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        super().__init__()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.messages.append((handler.path, json.loads(body)["text"]))
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")


def _write_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path
