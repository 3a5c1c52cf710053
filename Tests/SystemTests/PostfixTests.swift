import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// Through a real Postfix with STARTTLS and AUTH, on to a sink.
    @Suite(.enabled(if: PostfixRelay.obstacle == nil, "\(PostfixRelay.obstacle ?? "")"))
    struct PostfixTests {
        @Test(.timeLimit(.minutes(3)))
        func `fifty readers get one message each through STARTTLS and AUTH`() async throws {
            let relay = try await PostfixRelay.start()
            let daemon = try await running(relay)
            let readers = Scenario.readers(50)
            try await mail("news", to: readers, daemon)
            let receipt = try await daemon.spool.waitForState("news", "finished", timeout: .seconds(120))
            #expect(receipt.count("sent") == 50)
            #expect(receipt.count("uncertain") == 0)

            try await relay.drain()
            let delivered = try relay.delivered()
            #expect(delivered.flatMap(\.recipients).sorted() == readers.sorted(), "each reader once, nobody else")
            #expect(delivered.allSatisfy { $0.wasAuthenticatedOverTLS })
            #expect(Set(delivered.compactMap(\.messageID)).count == 50)
            let rows = try #require(try daemon.spool.recipients("news"))
            #expect(rows.count == 50)
            for row in rows {
                let message = try #require(delivered.first { $0.recipients == [row["address"]] })
                #expect(row["state"] == "sent")
                #expect(row["messageId"] == message.messageID)
                let queueID = try #require(message.queueID)
                #expect(row["reply"]?.hasSuffix("queued as \(queueID)") == true, "\(row["reply"] ?? "no reply")")
            }
            #expect(delivered.allSatisfy { $0.body.contains("The library is open on Sunday.") })
            #expect(relay.logged(" connect from").count == 1, "one connection for all")
            expectSecrecy(daemon)
        }

        @Test(.timeLimit(.minutes(5)))
        func `a wrong password pauses the campaign with the words of the relay, and nothing is sent`() async throws {
            let relay = try await PostfixRelay.start()
            let daemon = try await running(relay, password: PostfixRelay.wrongPassword)
            try await mail("news", to: Scenario.readers(3), daemon)
            let receipt = try await daemon.spool.waitForState("news", "paused")
            #expect(receipt.pausedBecause?.contains("535 5.7.8") == true, "\(receipt.pausedBecause ?? "no reason")")
            #expect(receipt.count("queued") == 3)
            expectNothingSent(relay, receipt)
            #expect(relay.logged("authentication failed").count == 1, "a wrong password is not tried again and again")
            expectSecrecy(daemon, of: PostfixRelay.wrongPassword)
        }

        @Test(.timeLimit(.minutes(5)))
        func `a password that was set right is used after a reload, and the resumed campaign ends`() async throws {
            let relay = try await PostfixRelay.start()
            let daemon = try await running(relay, password: PostfixRelay.wrongPassword)
            try await mail("news", to: Scenario.readers(3), daemon)
            try await daemon.spool.waitForState("news", "paused")
            _ = try relay.passwordFile(PostfixRelay.password)
            daemon.signal(SIGHUP)
            #expect(
                await eventually(timeout: .seconds(10)) { daemon.notifications.count { $0.contains("READY=1") } > 1 })
            try daemon.spool.dropFile("go-on", json: JobText.control("go-on", "resume", campaign: "news"))
            try await daemon.spool.waitForState("go-on", "finished")
            try await daemon.spool.waitForState("news", "finished")
            try await relay.drain()
            #expect(try relay.delivered().flatMap(\.recipients).sorted() == Scenario.readers(3))
        }

        @Test(.timeLimit(.minutes(5)), arguments: [true, false])
        func `a certificate that proves nothing ends the connection before the password is said`(
            isOfUnknownAuthority: Bool
        ) async throws {
            let relay = try await PostfixRelay.start(
                certificateNames: isOfUnknownAuthority ? "DNS:localhost" : "DNS:other.example")
            let daemon = try await running(relay, knowsAuthority: !isOfUnknownAuthority)
            try await mail("news", to: Scenario.readers(3), daemon)
            #expect(
                await eventually(timeout: .seconds(20)) { relay.sessions.count >= 2 }, "it is tried again: \(relay.log)"
            )
            let reason = isOfUnknownAuthority ? "issuer certificate" : "certificate subject name"
            #expect(daemon.standardError.contains(reason), "\(daemon.standardError)")
            let receipt = try await daemon.spool.waitForReceipt("news")
            #expect(receipt.state == "running")
            #expect(receipt.count("queued") == 3)
            expectNothingSent(relay, receipt)
            #expect(relay.logged("sasl_").isEmpty && relay.sessions.allSatisfy { !$0.contains("auth=") })
            expectSecrecy(daemon)
        }

        @Test(.timeLimit(.minutes(5)))
        func `a connection whose STARTTLS was taken away carries neither the password nor a message`() async throws {
            let relay = try await PostfixRelay.start()
            let thief = try await PostfixThief.start(before: relay.port)
            let daemon = try await running(relay, port: thief.port)
            try await mail("news", to: Scenario.readers(3), daemon)
            let isTriedAgain = await eventually(timeout: .seconds(20)) {
                thief.heard.count { $0.hasPrefix("EHLO") } >= 2
            }
            #expect(isTriedAgain, "\(daemon.standardError)")
            #expect(daemon.standardError.contains("STARTTLS"), "\(daemon.standardError)")
            #expect(thief.heard.allSatisfy { $0.hasPrefix("EHLO") || $0 == "QUIT" }, "\(thief.heard)")
            let receipt = try await daemon.spool.waitForReceipt("news")
            #expect(receipt.state == "running")
            #expect(receipt.count("queued") == 3)
            expectNothingSent(relay, receipt)
            expectSecrecy(daemon)
        }

        @Test(.timeLimit(.minutes(5)))
        func `a reader whom Postfix does not know bounces, and the connection goes on`() async throws {
            let relay = try await PostfixRelay.start()
            let daemon = try await running(relay)
            let known = Scenario.readers(4)
            let everybody = known[..<2] + [PostfixRelay.unknownReader] + known[2...]
            try await mail("news", to: Array(everybody), daemon)
            let receipt = try await daemon.spool.waitForState("news", "finished", timeout: .seconds(40))
            #expect(receipt.count("sent") == 4)
            #expect(receipt.count("bounced") == 1)
            let rows = try #require(try daemon.spool.recipients("news"))
            let refused = try #require(rows.first { $0["address"] == PostfixRelay.unknownReader })
            #expect(refused["state"] == "bounced")
            #expect(refused["reply"]?.hasPrefix("550 5.1.1") == true, "\(refused["reply"] ?? "no reply")")
            try await relay.drain()
            #expect(try relay.delivered().flatMap(\.recipients).sorted() == known.sorted())
            #expect(relay.logged(" connect from").count == 1, "one connection for all")
        }

        /// A daemon that sends through the relay, or through what stands before it at `port`.
        private func running(
            _ relay: PostfixRelay, port: Int? = nil, password: String = PostfixRelay.password,
            knowsAuthority: Bool = true
        ) async throws -> DaemonProcess {
            var lines = [
                "tls = \"required\"", "username = \"\(PostfixRelay.username)\"",
                "password_file = \(TestConfiguration.quoted(try relay.passwordFile(password)))",
            ]
            if knowsAuthority { lines.append("ca_file = \(TestConfiguration.quoted(relay.authorityFile))") }
            let daemon = try DaemonProcess(
                TestConfiguration(relays: [
                    TestConfiguration.Relay(url: "smtp://localhost:\(port ?? relay.port)", lines: lines)
                ]))
            try await daemon.startAndWait()
            return daemon
        }

        /// Imports people who have said yes and drops a campaign to each of them.
        private func mail(_ id: String, to addresses: [String], _ daemon: DaemonProcess) async throws {
            try daemon.spool.dropBundle(
                "readers", json: JobText.contacts("readers"), files: ["list.csv": Scenario.list(addresses)])
            try await daemon.spool.waitForState("readers", "finished")
            try daemon.spool.dropFile(id, json: JobText.campaign(id, to: addresses.map { .address($0) }))
        }

        private func expectNothingSent(
            _ relay: PostfixRelay, _ receipt: JobReceipt, _ location: SourceLocation = #_sourceLocation
        ) {
            let claims = ["sent", "inFlight", "uncertain"].map { receipt.count($0) }
            #expect(claims == [0, 0, 0], "the receipt claims no dot", sourceLocation: location)
            let mails = relay.sessions.filter { $0.contains("mail=") }
            #expect(mails.isEmpty, "Postfix has heard no MAIL", sourceLocation: location)
            #expect(throws: Never.self, sourceLocation: location) {
                let held = try relay.queue()
                let delivered = try relay.delivered().count
                #expect(held.isEmpty && delivered == 0, "Postfix has no message", sourceLocation: location)
            }
        }

        /// No password stands in what the daemon writes, nor as AUTH says it.
        private func expectSecrecy(
            _ daemon: DaemonProcess, of password: String = PostfixRelay.password,
            _ location: SourceLocation = #_sourceLocation
        ) {
            let secrets = [password, "\0\(PostfixRelay.username)\0\(password)"]
            for secret in secrets + secrets.map({ Data($0.utf8).base64EncodedString() }) {
                #expect(!daemon.standardError.contains(secret), sourceLocation: location)
            }
        }
    }
}
