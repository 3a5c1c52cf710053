import Foundation
import Testing

@testable import MIME

@Suite struct ReturnedMailTests {
    private static let status = """
        Reporting-MTA: dns; relay.example
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; Jan@example.org
        Original-Recipient: rfc822;jan@example.org
        Action: failed
        Status: 5.1.1 (no such user)
        Diagnostic-Code: smtp; 550 5.1.1 <jan@example.org>: no such user
        """

    private static func report(
        _ status: String = ReturnedMailTests.status, type: String = "message/delivery-status", encoding: String? = nil,
        reportType: String = "delivery-status", end: String = "\n--b\nContent-Type: message/rfc822\n\n\n--b--\n"
    ) -> String {
        """
        Return-Path: <>
        Delivered-To: news+7.0123456789abcdef@library.example
        From: Mail Delivery System <MAILER-DAEMON@relay.example>
        To: news+7.0123456789abcdef@library.example
        Content-Type: multipart/report; report-type=\(reportType);
        \tboundary="b"
        MIME-Version: 1.0

        This is a MIME message.

        --b
        Content-Type: text/plain

        Your message could not be delivered. Status: 9.9.9

        --b
        Content-Type: \(type)\(encoding.map { "\nContent-Transfer-Encoding: \($0)" } ?? "")

        \(status)
        """ + end
    }

    private static let jan = ReturnedMail.RecipientStatus(
        finalRecipient: "Jan@example.org", action: .failed, status: "5.1.1")

    private func read(_ text: String) throws -> ReturnedMail { try #require(ReturnedMail(Array(text.utf8))) }

    @Test(arguments: ["\n", "\r\n"])
    func `a delivery status notification tells to whom it came and what became of each recipient`(
        lineEnd: String
    ) throws {
        let mail = try read(Self.report().replacingOccurrences(of: "\n", with: lineEnd))
        let address = "news+7.0123456789abcdef@library.example"
        #expect(mail.addresses == [address, address])
        #expect(mail.hasNullReturnPath)
        #expect(mail.isReport)
        #expect(mail.recipients == [Self.jan])
    }

    @Test func `a notification about several recipients tells of each, in their order`() throws {
        let second = "\n\nFinal-Recipient: rfc822; b@example.org\nAction: DELAYED\nStatus: 4.4.1\n"
        let mail = try read(Self.report(Self.status + second))
        #expect(
            mail.recipients == [Self.jan, .init(finalRecipient: "b@example.org", action: .delayed, status: "4.4.1")])
    }

    @Test func `a report in a transfer encoding is read too`() throws {
        let base64 = Data(Self.status.utf8).base64EncodedString(options: .lineLength76Characters)
        #expect(try read(Self.report(base64, encoding: "base64")).recipients == [Self.jan])
        let quoted = Self.status.replacingOccurrences(of: "Action: failed", with: "Action:=\n =66ailed")
        let mail = try read(
            Self.report(quoted, type: "message/global-delivery-status", encoding: "quoted-printable"))
        #expect(mail.recipients == [Self.jan])
    }

    @Test(arguments: [
        ("Action: exploded\nStatus: 5.1.1", ReturnedMail.RecipientStatus(status: "5.1.1")),
        ("Action: failed\nStatus: 5.1", .init(action: .failed)),
        ("Action: failed\nStatus: 9.1.1", .init(action: .failed)),
        ("Action: failed\nStatus: 5.1.1234", .init(action: .failed)),
        ("Action: failed\nStatus: 5.1.1.1", .init(action: .failed)),
        ("Action: failed\nStatus: 5..1", .init(action: .failed)),
        ("Final-Recipient: rfc822; two words\nStatus: 5.1.1", .init(status: "5.1.1")),
        ("Final-Recipient: jan@example.org", .init(finalRecipient: "jan@example.org")),
    ])
    func `of a recipient's fields only what is well formed is believed`(
        fields: String, expected: ReturnedMail.RecipientStatus
    ) throws {
        #expect(try read(Self.report("Reporting-MTA: dns; x\n\n" + fields)).recipients == [expected])
    }

    @Test func `a report that was cut off tells what is there`() throws {
        #expect(try read(Self.report(end: "")).recipients == [Self.jan])
        let bytes = Array(Self.report().utf8)
        for length in 0..<bytes.count {
            guard let mail = ReturnedMail(Array(bytes[..<length])) else { continue }
            #expect(mail.recipients.count <= 1)
            #expect(mail.addresses.count <= 2)
        }
    }

    @Test(arguments: ["feedback-report", "disposition-notification"])
    func `a report of another kind is one, and says nothing of a delivery`(kind: String) throws {
        let mail = try read(Self.report(reportType: kind))
        #expect(mail.isReport)
        #expect(mail.recipients.isEmpty)
    }

    @Test func `a person's answer is no report and has a return path`() throws {
        let mail = try read(
            """
            Return-Path: <jan@example.org>
            Delivered-To: news+7.0123456789abcdef@library.example
            To: Library <news+7.0123456789abcdef@library.example>

            Content-Type: multipart/report; boundary=b
            Return-Path: <>
            """)
        #expect(!mail.hasNullReturnPath)
        #expect(!mail.isReport)
    }

    @Test(arguments: ["<>", " <> ", "< >"])
    func `the null return path is known by its brackets, and the first one counts`(value: String) throws {
        #expect(try read("Return-Path: \(value)\nTo: a@example.org\n\n").hasNullReturnPath)
        #expect(try !read("Return-Path: <a@example.org>\nReturn-Path: \(value)\n\n").hasNullReturnPath)
        #expect(try !read("X: \(value)\n\n").hasNullReturnPath)
    }

    @Test func `addresses come from all the fields that a delivery agent writes, names and comments left out`() throws {
        let mail = try read(
            """
            From MAILER-DAEMON Sun Nov 22 10:00:00 2026
            X-Original-To: a+1.x@example.org
            DELIVERED-TO: b@example.org
            Envelope-to: <c@example.org>
            To: "Jan, the reader" <d@example.org> (at home), undisclosed:
             e@example.org;
            Cc: f@example.org

            To: g@example.org
            """)
        #expect(
            mail.addresses == ["b@example.org", "a+1.x@example.org", "c@example.org", "d@example.org", "e@example.org"])
    }

    @Test func `of addresses without end only some are looked at`() throws {
        let many = (0..<5000).map { "To: reader-\($0)@example.org\n" }.joined()
        let mail = try read(many + "\n")
        #expect(mail.addresses.count == ReturnedMail.maximumAddresses)
        #expect(mail.addresses.first == "reader-0@example.org")
        let long = "To: " + String(repeating: "a", count: 321) + "@example.org\n\n"
        #expect(try read(long).addresses.isEmpty)
    }
}

/// Whatever comes in by mail may have been made to do harm: reading it ends, soon and without a crash.
@Suite(.timeLimit(.minutes(5)))
struct HostileReturnedMailTests {
    private static let head = "Return-Path: <>\nTo: news+7.0123456789abcdef@library.example\n"

    @Test func `nothing nested is opened, however deep`() throws {
        for depth in [10, 1000, 20_000] {
            let multipart = (0..<depth).map { "Content-Type: multipart/report; boundary=\"b\($0)\"\n\n--b\($0)\n" }
            let message = String(repeating: "Content-Type: message/rfc822\n\n", count: depth)
            for nested in [multipart.joined(), message] {
                let mail = try #require(ReturnedMail(Array((Self.head + nested).utf8)))
                #expect(mail.hasNullReturnPath)
                #expect(mail.recipients.isEmpty)
            }
        }
    }

    @Test func `a boundary without an end, of nothing, or on every line is no trouble`() throws {
        let line = "--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n"
        for boundary in ["", "\"\"", String(repeating: "b", count: 100_000), "b"] {
            let text =
                Self.head + "Content-Type: multipart/report; boundary=\(boundary)\n\n"
                + String(repeating: line, count: 10_000)
            let mail = try #require(ReturnedMail(Array(text.utf8)))
            #expect(mail.recipients.count <= 1)
        }
    }

    @Test func `a mebibyte of one line, of empty lines, of header fields or of recipients is read`() throws {
        let size = 1 << 20
        let field = "X-Field: value\n"
        let recipients = String(repeating: "Status: 5.1.1\n\n", count: size / 15)
        for text in [
            String(repeating: "a", count: size), String(repeating: "\n", count: size),
            Self.head + String(repeating: field, count: size / field.utf8.count),
            Self.head + "X: " + String(repeating: "a", count: size),
            Self.head + "\n" + String(repeating: "a\n", count: size / 2),
            Self.head + "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
                + recipients,
            Self.head + "X:" + String(repeating: "\n ", count: size / 2),
            Self.head + String(repeating: "(", count: size),
            Self.head + "Content-Type: " + String(repeating: "(", count: 60_000),
            Self.head + "Content-Type: a/b; " + String(repeating: "x*0*=''%00;", count: 5000),
        ] {
            let mail = ReturnedMail(Array(text.utf8))
            #expect((mail?.recipients.count ?? 0) <= 20)
        }
    }

    @Test func `bytes of any kind are read or refused`() throws {
        #expect(ReturnedMail([]) == nil)
        #expect(ReturnedMail([0]) == nil)
        #expect(ReturnedMail(Array("From ".utf8)) == nil)
        #expect(ReturnedMail(Array("From x".utf8)) == nil)
        #expect(ReturnedMail(Array("\n\n\n".utf8)) == nil)
        var state: UInt64 = 7
        let pieces =
            [
                "\n", "\r\n", "\n\n", "--b", "--b--", ":", ";", "\"", "\\", "(", ")", "<>", "@", "=", "?=",
                "=?utf-8?B?", "\0",
                "Content-Type: multipart/report; boundary=b; report-type=delivery-status", "To: a+1.x@example.org",
                "Content-Type: message/delivery-status", "Content-Transfer-Encoding: base64", "Status: 5.1.1",
                "Action: failed",
                "Content-Transfer-Encoding: quoted-printable", "Return-Path: <>", "From ",
            ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0x80, 0x81], [0x0D]]
        for _ in 0..<4000 {
            var bytes: [UInt8] = []
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes += pieces[Int(state >> 33) % pieces.count]
            }
            let mail = ReturnedMail(bytes)
            #expect((mail?.addresses.count ?? 0) <= 40)
        }
    }
}
