import Foundation
import Glibc
import Mailing
import Relay
import TestSupport
import Testing

@Suite struct MaildirConnectionTests {
    private func names(_ directory: TemporaryDirectory, _ part: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path("out/\(part)"))
    }

    @Test func `a message becomes one file in new with its envelope and LF line ends`() async throws {
        let directory = try TemporaryDirectory()
        let connection = MaildirConnection(directory: directory.path("out"))
        #expect(await connection.open() == .ready(fresh: true))
        #expect(await connection.offer(try envelope(), message: Array("Subject: a\r\n\r\n.\r\nb\rc\n".utf8)) == .armed)
        #expect(try names(directory, "new") == [])
        let result = await connection.handOver()
        let name = try #require(try names(directory, "new").first)
        #expect(result.ending == .answered(SMTPReply(code: 250, lines: ["2.0.0 delivered as \(name)"])))
        #expect(result.writtenAt != nil)
        let text = String(decoding: try directory.read("out/new/\(name)"), as: UTF8.self)
        let head = "Return-Path: <nieuws@bibliotheek.example>\nDelivered-To: jan@example.org\n"
        #expect(text == head + "Subject: a\n\n.\nb\rc\n")
        #expect(try names(directory, "tmp") == [])
        #expect(try names(directory, "cur") == [])
    }

    @Test func `the directories are private`() async throws {
        let directory = try TemporaryDirectory()
        #expect(await MaildirConnection(directory: directory.path("out")).open() == .ready(fresh: true))
        for part in ["", "/tmp", "/new", "/cur"] {
            var status = stat()
            #expect(stat(directory.path("out\(part)"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o700)
        }
    }

    @Test func `a hundred messages have a hundred names`() async throws {
        let directory = try TemporaryDirectory()
        let connection = MaildirConnection(directory: directory.path("out"))
        for number in 1...100 {
            #expect(await connection.open() == .ready(fresh: number == 1))
            #expect(await connection.offer(try envelope(), message: message("\(number)")) == .armed)
            #expect(await connection.handOver().replyCode == 250)
        }
        #expect(try names(directory, "new").count == 100)
        #expect(try names(directory, "tmp") == [])
    }

    @Test func `a message that is not handed over leaves nothing behind`() async throws {
        let directory = try TemporaryDirectory()
        let connection = MaildirConnection(directory: directory.path("out"))
        #expect(await connection.open() == .ready(fresh: true))
        #expect(await connection.offer(try envelope(), message: message("x")) == .armed)
        await connection.close()
        #expect(try names(directory, "tmp") == [])
        #expect(try names(directory, "new") == [])
        #expect(await connection.handOver().isNotWritten)
        #expect(await connection.offer(try envelope(), message: message("x")).lostPhase == .idle)
    }

    @Test func `a rename that fails has written nothing`() async throws {
        let directory = try TemporaryDirectory()
        let connection = MaildirConnection(directory: directory.path("out"))
        #expect(await connection.open() == .ready(fresh: true))
        #expect(await connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(rmdir(directory.path("out/new")) == 0)
        let result = await connection.handOver()
        #expect(result.isNotWritten)
        #expect(result.writtenAt == nil)
        #expect(try names(directory, "tmp") == [])
        #expect(await connection.open() == .ready(fresh: true))
    }

    @Test func `a file in the place of the directory fails to open`() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("", to: "out")
        let failure = await MaildirConnection(directory: directory.path("out")).open().failure
        #expect(failure?.phase == .connect)
        #expect(failure?.sentence == "\(directory.path("out")) is not a directory")
    }

    @Test func `a directory below one that does not exist fails to open`() async throws {
        let directory = try TemporaryDirectory()
        let failure = await MaildirConnection(directory: directory.path("a/b")).open().failure
        #expect(failure?.sentence.hasPrefix("\(directory.path("a/b")) cannot be made") == true)
    }

    @Test func `a directory that may not be written to fails to open`() async {
        await #expect(processExitsWith: .success) {
            becomeUnprivileged()
            let directory = try TemporaryDirectory()
            let first = await MaildirConnection(directory: directory.path("out")).open()
            try #require(first == .ready(fresh: true))
            try #require(chmod(directory.path("out/new"), 0o500) == 0)
            let failure = await MaildirConnection(directory: directory.path("out")).open().failure
            try #require(failure?.sentence.contains("cannot be written to") == true)
        }
    }
}
