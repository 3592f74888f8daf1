"""A certificate of a mirror on 127.0.0.1, and httpd's directives to trust it alone."""
import os
import subprocess

from .process import Failed


class Certificate:
    def __init__(self, lab):
        folder = lab.folder("certificate")
        self.path, self.key = f"{folder}/certificate.pem", f"{folder}/key.pem"
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                               "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", self.key, "-out", self.path],
                              capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise Failed(f"openssl: {done.stderr.strip()[-500:]}")
        for path in (self.path, self.key):
            os.chmod(path, 0o644)

    def directives(self):
        return f"SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile {self.path}\n"
