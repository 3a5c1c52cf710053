import ArgumentParser
import Daemon
import Foundation
import Glibc
import MIME
import Mailing
import Spool

struct PreviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview", abstract: "Shows one recipient's message of a campaign that was not dropped yet.",
        discussion: """
            It is made as campaignd makes it. What depends on its secret key (the Message-ID, the mark in the address \
            of the unsubscribe page) is an example.
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case text
        case html
    }

    @Argument(help: "The campaign: a file NAME.json, or a directory NAME.job.", completion: .file())
    var path: String

    @Option(help: "The address of one of the recipients.")
    var recipient: String

    @Flag(help: "Show the message as it is handed to the relay (RFC 5322).")
    var source = false

    @Option(help: "Only this body, and nothing of the header: text or html.")
    var part: Part?

    @Option(help: "Write it into this file, which must not be there yet.", completion: .file())
    var output: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard !source || part == nil else { throw ValidationError("Say either --source or --part.") }
        guard !common.json || (!source && part == nil) else {
            throw ValidationError("--json has all parts: leave --source and --part out.")
        }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let clocks = try SystemClocks()
            let configuration = try common.configuration()
            let job = try JobFile.examine(try JobFile.source(path), configuration, now: clocks.wall)
            guard job.errors.isEmpty else {
                throw CommandFailure(["\(path) cannot be sent:"] + job.errors.map(FaultText.line))
            }
            let preview: MessagePreview
            do {
                preview = try await MessagePreview(
                    job, recipient: recipient, configuration: configuration, now: clocks.wall)
            } catch let why as MessagePreview.Impossible {
                throw CommandFailure(why.description)
            }
            for note in preview.notes { Terminal.complain("note: " + note) }
            try deliver(try bytes(preview))
        }
    }

    private func bytes(_ preview: MessagePreview) throws -> [UInt8] {
        let message = preview.message
        if common.json { return Array((Terminal.escaped(try JSONOutput.text(PreviewOutput(preview))) + "\n").utf8) }
        if source { return preview.source }
        switch part {
        case .text:
            guard let text = message.text else { throw CommandFailure("the campaign has no plain text") }
            return Array(text.utf8)
        case .html:
            guard let html = message.html else { throw CommandFailure("the campaign has no HTML") }
            return Array(html.utf8)
        case nil:
            var lines = ["From: \(message.from.shown)", "To: \(message.to.shown)", "Subject: \(message.subject)"]
            lines += message.attachments.map { "Attachment: \($0)" }
            lines += ["", message.text ?? message.html ?? ""]
            return Array(PreviewCommand.visible(lines.joined(separator: "\n")).utf8)
        }
    }

    /// Without what a terminal would obey.
    static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || !ReportText.steers($0) }))
    }

    private func deliver(_ bytes: [UInt8]) throws {
        guard let output else {
            // Byte for byte only for programs and files.
            let isTerminal = isatty(STDOUT_FILENO) == 1
            return isTerminal
                ? Terminal.write(PreviewCommand.visible(String(decoding: bytes, as: UTF8.self))) : Terminal.write(bytes)
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: output), options: .withoutOverwriting)
        } catch {
            throw CommandFailure("\(output) cannot be written: \(error.localizedDescription)")
        }
    }
}

extension Mailbox {
    /// As people write it.
    fileprivate var shown: String { name.map { "\($0) <\(address)>" } ?? address }
}

/// What `preview --json` prints.
private struct PreviewOutput: Encodable {
    let from: String
    let to: String
    let subject: String
    let text: String?
    let html: String?
    let attachments: [String]
    let source: String

    init(_ preview: MessagePreview) {
        let message = preview.message
        from = message.from.shown
        to = message.to.shown
        subject = message.subject
        text = message.text
        html = message.html
        attachments = message.attachments
        source = String(decoding: preview.source, as: UTF8.self)
    }
}
