"""Certificates, and recorders that speak TLS."""
from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from typing import Callable

from recorder import Recorder

CA_CONF = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = policy
copy_extensions = copy
unique_subject = no
[policy]
commonName = supplied
"""
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder)
        self.folder = folder
        self.path = f"{folder}/ca.pem"
        for name, text in (("ca.conf", CA_CONF.format(folder=folder)), ("index.txt", "")):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        self._openssl("req", "-x509", "-subj", "/CN=test authority", "-days", "2", *self._new_key("ca"),
                      "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.path)

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _new_key(self, name: str) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                f"{self.folder}/{name}.key")

    def issue(self, name: str, alt_name: str = "DNS:localhost", expired: bool = False) -> str:
        """The path of a file with a new certificate and its key."""
        base = f"{self.folder}/{name}"
        self._openssl("req", "-new", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alt_name}",
                      *self._new_key(name), "-out", f"{base}.csr")
        self._openssl("ca", "-batch", "-notext", "-config", f"{self.folder}/ca.conf", "-cert", self.path, "-keyfile",
                      f"{self.folder}/ca.key", "-in", f"{base}.csr", "-out", f"{base}.crt",
                      *(PAST if expired else ("-days", "1")))
        with open(f"{base}.pem", "w", encoding="utf-8") as out:
            for part in (f"{base}.crt", f"{base}.key"):
                with open(part, encoding="utf-8") as f:
                    out.write(f.read())
        return f"{base}.pem"


def server(pem: str, clients: str | None = None, tls12: bool = False) -> ssl.SSLContext:
    """What a mirror needs; `clients`: the authority whose clients alone it lets in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


def strict(authority: Authority, *lines: str) -> str:
    """The directives of an httpd that trusts nobody else."""
    return "\n".join(["SSLProxyEngine on", "SSLProxyVerify require", f"SSLProxyCACertificateFile {authority.path}",
                      *lines, ""])


class TlsRecorder(Recorder):
    """A recorder at https://localhost. `answer` and `takeover` get the socket as it is after the handshake."""

    def __init__(self, limit: float, context: ssl.SSLContext, *arguments, **options) -> None:
        self.context = context
        self.failures: list[ssl.SSLError] = []      # handshakes that failed
        self.shaken = 0                             # that went well
        self.names: list[str | None] = []           # that were asked for (SNI)
        context.sni_callback = lambda sock, name, context: self.names.append(name)
        super().__init__(limit, *arguments, **options)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def _serve(self, sock: socket.socket) -> None:
        try:
            tls = self.context.wrap_socket(sock, server_side=True)
        except OSError as error:                    # ssl.SSLError is one, too
            with self.changed:
                if isinstance(error, ssl.SSLError):
                    self.failures.append(error)
                self.open -= 1
                self._sockets.discard(sock)
                self.changed.notify_all()
            sock.close()
            return
        with self.changed:
            self.shaken += 1
            self._sockets.discard(sock)
            self._sockets.add(tls)
            self.changed.notify_all()
        super()._serve(tls)


def end_tls(sock: ssl.SSLSocket) -> bool:
    """Say close_notify, and close."""
    try:
        sock.unwrap()
    except OSError:
        pass                                        # httpd has closed it without saying so
    return False


def stalling_handshake(recorder: Callable[..., Recorder], drip: bool) -> tuple[Recorder, threading.Event]:
    """A recorder whose handshakes never end, with `drip` sending a byte now and then; and the event that ends them."""
    def stall(sock: socket.socket) -> None:
        sock.sendall(b"\x16\x03\x03\x40\x00")           # a record of 16 KiB begins
        while drip and not gate.wait(0.02):
            sock.sendall(b"\x02")
        gate.wait()
    stalling = recorder(takeover=stall)
    gate = stalling.gate()
    return stalling, gate
