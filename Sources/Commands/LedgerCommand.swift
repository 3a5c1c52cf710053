import ArgumentParser
import Daemon
import Foundation
import Ledger
import Mailing
import Spool

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Copies and examines the ledger.",
        subcommands: [LedgerBackupCommand.self, LedgerCheckCommand.self])
}

struct LedgerBackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copies the ledger into a new file, also while the daemon works on it.",
        discussion: """
            The copy is one file of mode 0600, durable and looked through when this ends. Without the key that lies \
            beside the ledger it is of no use: copy that too, by --with-key or by other means. A ledger that was put \
            back is an older one: see “After a restore” in README.md before you start campaignd with it.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The new file. Nothing is overwritten.", completion: .file())
    var file: String

    @Flag(help: "Copy the key too, as FILE.key. Whoever has both can read who was mailed.")
    var withKey = false

    func run() async throws {
        try await CommandFailure.reported {
            let ledger = try common.ledger(of: try common.configuration().ledgerPath)
            let target = file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file
            let backup = try CommandFailure.asking { () throws(LedgerError) in
                try ledger.backUp(to: target, withKey: withKey)
            }
            common.show(BackupReport(backup: backup, ledger: ledger.path))
        }
    }
}

struct BackupReport: Report {
    let backup: LedgerBackup
    let ledger: String

    var lines: [String] {
        let key =
            backup.keyPath.map { "its key is copied to \($0)" }
            ?? "the key is not in it: keep \(ledger).key too, without it the copy is of no use (--with-key copies it)"
        return [
            "\(ledger) is copied to \(backup.path): \(backup.size) bytes, \(backup.intents) hand-overs, sound", key,
            "to put it back, leave \(ledger).intents where it is: by it campaignd sees that the ledger is an older one",
        ]
    }

    var json: JSONText {
        .object([
            ("file", .string(backup.path)), ("size", .number(backup.size)), ("intents", .number(backup.intents)),
            ("keyFile", .text(backup.keyPath)),
        ])
    }
}

struct LedgerCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Examines the whole ledger, and changes nothing.",
        discussion: "Exit status 1 if something is not as it should be, or could not be examined.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let isSound = try await CommandFailure.reported {
            let ledger = try common.ledger(of: try common.configuration().ledgerPath)
            let report = ExaminationReport(ledger: ledger.path, findings: ledger.examine())
            common.show(report)
            return report.isSound
        }
        if !isSound { throw ExitCode(CommandFailure.Status.refused.rawValue) }
    }
}

struct ExaminationReport: Report {
    let ledger: String
    let findings: [LedgerFinding]

    /// All was examined, and all is as it should be.
    var isSound: Bool { findings.allSatisfy { $0.outcome == .sound } }

    var lines: [String] {
        let words: [LedgerFinding.Outcome: String] = [.sound: "OK", .faulty: "FAULT", .unknown: "NOT CHECKED"]
        let rows = findings.map { [words[$0.outcome] ?? "", $0.check, $0.detail] }
        let advice =
            findings.contains { $0.outcome == .faulty }
            ? [
                "Stop campaignd, keep the ledger with all files beside it, and put the newest good copy in its place: "
                    + "see “After a restore” in README.md."
            ] : []
        return ReportText.table(rows) + advice
    }

    var json: JSONText {
        let checks = findings.map { finding in
            JSONText.object([
                ("check", .string(finding.check)), ("outcome", .string(finding.outcome.rawValue)),
                ("message", .string(finding.detail)),
            ])
        }
        return .object([("ledger", .string(ledger)), ("sound", .bool(isSound)), ("checks", .array(checks))])
    }
}
