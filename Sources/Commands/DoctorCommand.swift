import ArgumentParser
import Mailing
import Spool

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Looks over the installation, and says what is wrong and what mends it.",
        discussion: """
            Nothing is changed, and no mail is sent: relays are greeted, and left again. As root it sees most. Exit \
            status 1 if there is a fault.
            """)

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let isHealthy = try await CommandFailure.reported {
            let doctor = Doctor(
                path: common.config, surroundings: DoctorSurroundings(now: try Moment.now()))
            let report = DoctorReport(findings: await doctor.examine())
            common.show(report)
            return report.isHealthy
        }
        if !isHealthy { throw ExitCode(CommandFailure.Status.refused.rawValue) }
    }
}

struct DoctorReport: Report {
    let findings: [DoctorFinding]

    var isHealthy: Bool { !findings.contains { $0.outcome == .fault } }

    private static let words: [DoctorFinding.Outcome: String] = [
        .ok: "OK", .warning: "WARNING", .fault: "FAULT", .unknown: "NOT CHECKED",
    ]

    var lines: [String] {
        let width = 11
        let told = findings.flatMap { finding -> [String] in
            let word = DoctorReport.words[finding.outcome] ?? ""
            let pad = String(repeating: " ", count: width - word.count)
            // What is wrong may be several lines long.
            let first = finding.message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            var lines = ["\(word)\(pad)  \(finding.check): \(first.first ?? "")"]
            lines += first.dropFirst().map { String(repeating: " ", count: width + 2) + $0 }
            if let remedy = finding.remedy {
                lines.append(String(repeating: " ", count: width + 2) + "remedy: \(remedy)")
            }
            return lines
        }
        let counts = Dictionary(grouping: findings, by: \.outcome).mapValues(\.count)
        return told + [
            "\(counts[.fault] ?? 0) faults, \(counts[.warning] ?? 0) warnings, \(counts[.unknown] ?? 0) not checked"
        ]
    }

    var json: JSONText {
        let checks = findings.map { finding in
            JSONText.object([
                ("check", .string(finding.check)), ("outcome", .string(finding.outcome.rawValue)),
                ("message", .string(finding.message)), ("remedy", .text(finding.remedy)),
            ])
        }
        return .object([("healthy", .bool(isHealthy)), ("checks", .array(checks))])
    }
}
