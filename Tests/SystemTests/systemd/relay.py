"""A mail relay that speaks TLS from the first byte, and notes what it took.

Recipients whose address begins with “silent” get no reply to the dot: the connection is closed instead.
"""

import socketserver
import ssl
import subprocess
import threading


class Relay:
    def __init__(self, directory):
        self.messages = []  # (return path, recipient)
        self.authority = f"{directory}/ca.pem"
        key = f"{directory}/key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", key, "-out", self.authority], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        relay = self

        class Session(socketserver.StreamRequestHandler):
            def setup(self):
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def reply(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                self.reply("220 relay.example ESMTP")
                sender = recipient = ""
                while line := self.rfile.readline():
                    words = line.decode("utf-8", "replace").strip()
                    verb = words.upper()
                    if verb.startswith("EHLO"):
                        self.reply("250-relay.example\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                    elif verb.startswith(("MAIL FROM:", "RCPT TO:")):
                        address = words.split(":", 1)[1].split(">")[0].strip(" <")
                        sender, recipient = (address, "") if verb[0] == "M" else (sender, address)
                        self.reply("250 2.1.0 ok")
                    elif verb == "DATA":
                        self.reply("354 go ahead")
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            pass
                        relay.messages.append((sender, recipient))
                        if recipient.startswith("silent"):
                            return
                        self.reply("250 2.0.0 queued as 4711")
                    elif verb == "QUIT":
                        return self.reply("221 2.0.0 bye")
                    else:
                        self.reply("250 2.0.0 ok")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # whoever hangs up in the middle

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def recipients(self):
        return sorted(recipient for _, recipient in self.messages)
