import Foundation
import Mailing
import TestSupport
import Testing

/// Every fault at every step over every kind of connection.
@Suite struct SMTPFaultMatrixTests {
    private static let trial = "SMTP fault matrix"
    /// Most of the trials wait most of the time.
    private static let atOnce = 32

    private enum Result: Sendable {
        case seen(MatrixObservation)
        case failed(String)
    }

    @Test
    func
        `whatever a server does wrong at whatever step, no message has two dots and none is called what it is not`()
        async throws
    {
        let begin = MonotonicClock.now()
        let certificates = try await MatrixCertificates()
        let results = await Self.run(SMTPFaultMatrix.cells, certificates)
        var seen: [SMTPFaultMatrix.Cell: MatrixObservation] = [:]
        var counts: [MatrixOracle.Kind: Int] = [:]
        for cell in SMTPFaultMatrix.cells {
            switch results[cell] {
            case .seen(let observation):
                seen[cell] = observation
                for finding in MatrixOracle.judge(cell, observation) {
                    counts[finding.kind, default: 0] += 1
                    Issue.record("\(cell): \(finding.sentence)")
                }
            case .failed(let reason):
                counts[.unexplained, default: 0] += 1
                Issue.record("\(cell): \(reason)")
            case nil: Issue.record("\(cell) was not tried")
            }
        }
        Proof.count(Self.trial, .steps, results.count)
        Proof.count(Self.trial, .doubles, counts[.double] ?? 0)
        Proof.count(Self.trial, .losses, counts[.loss] ?? 0)
        Proof.count(Self.trial, .unexplained, counts[.unexplained] ?? 0)
        let seconds = String(format: "%.1f", Double(MonotonicClock.now() - begin) / 1e9)
        let figures = "figures: \(Self.trial): \(results.count) cells in \(seconds) s\n"
        FileHandle.standardOutput.write(Data(figures.utf8))
        try Self.check(MatrixDocument.text(seen))
    }

    private static func run(
        _ cells: [SMTPFaultMatrix.Cell], _ certificates: MatrixCertificates
    ) async -> [SMTPFaultMatrix.Cell: Result] {
        await withTaskGroup(of: (SMTPFaultMatrix.Cell, Result).self) { group in
            var results: [SMTPFaultMatrix.Cell: Result] = [:]
            // The long ones first.
            var waiting = cells.sorted { !$0.fault.wearsPatienceOut && $1.fault.wearsPatienceOut }[...]
            for _ in 0..<atOnce { add(waiting.popLast(), to: &group, certificates) }
            while let (cell, result) = await group.next() {
                results[cell] = result
                add(waiting.popLast(), to: &group, certificates)
            }
            return results
        }
    }

    private static func add(
        _ cell: SMTPFaultMatrix.Cell?, to group: inout TaskGroup<(SMTPFaultMatrix.Cell, Result)>,
        _ certificates: MatrixCertificates
    ) {
        guard let cell else { return }
        group.addTask {
            do {
                return (cell, .seen(try await MatrixTrial(cell: cell, certificates: certificates).run()))
            } catch {
                return (cell, .failed("\(error)"))
            }
        }
    }

    private static func check(_ text: String) throws {
        if MatrixDocument.isToBeWritten {
            return try text.write(to: MatrixDocument.file, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOf: MatrixDocument.file, encoding: .utf8)
        guard committed != text else { return }
        let old = Set(committed.split(separator: "\n"))
        let new = Set(text.split(separator: "\n"))
        let differences =
            old.subtracting(new).sorted().map { "the page: \($0)" }
            + new.subtracting(old).sorted().map { "seen: \($0)" }
        Issue.record(
            """
            Sources/Relay/FAULTS.md is not what was seen. If what was seen is right, write it anew with \
            CAMPAIGND_WRITE_DOCUMENTS=1 swift test --filter SMTPFaultMatrixTests
            \(differences.joined(separator: "\n"))
            """)
    }
}
