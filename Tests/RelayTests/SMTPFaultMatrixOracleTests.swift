import Mailing
import TestSupport
import Testing

/// A judge who never condemns is none: what a wrong client would do is found.
@Suite struct SMTPFaultMatrixOracleTests {
    typealias Cell = SMTPFaultMatrix.Cell

    private struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let cell: Cell
        let kind: MatrixOracle.Kind
        let tell: @Sendable (inout MatrixObservation) -> Void

        init(
            _ description: String, at phase: SMTPFaultMatrix.Phase, _ fault: SMTPFaultMatrix.Fault,
            is kind: MatrixOracle.Kind, _ tell: @escaping @Sendable (inout MatrixObservation) -> Void
        ) {
            testDescription = description
            cell = Cell(phase: phase, fault: fault, link: .plain)
            self.kind = kind
            self.tell = tell
        }
    }

    private static let lies = [
        Lie("silence after the dot is called sent", at: .dot, .drop, is: .loss) { $0.first.outcome = .sent },
        Lie("silence after the dot is called trouble of the route", at: .dot, .stall, is: .unexplained) {
            $0.first.outcome = .routeTrouble
        },
        Lie("half a reply to the dot is called sent", at: .dot, .cutOff, is: .unexplained) {
            $0.first.outcome = .sent
        },
        Lie("an accepted message is called uncertain", at: .dot, .late, is: .unexplained) {
            $0.first.outcome = .uncertain
        },
        Lie("a refusal of the dot is called sent", at: .dot, .permanent, is: .loss) { $0.first.outcome = .sent },
        Lie("a dot is kept quiet about", at: .recipient, .late, is: .double) { $0.first.hasDot = false },
        Lie("a dot is claimed that was not written", at: .mail, .drop, is: .unexplained) { $0.first.hasDot = true },
        Lie("a recipient is bounced for a lost connection", at: .recipient, .reset, is: .unexplained) {
            $0.first.outcome = .bounced(suppress: false)
        },
        Lie("the answer of another message is taken", at: .dot, .late, is: .unexplained) {
            $0.second.answer = $0.first.answer
        },
        Lie("a connection out of order goes on", at: .dot, .garbage, is: .unexplained) { $0.second.isFresh = false },
        Lie("a queued message is forgotten", at: .data, .drop, is: .loss) { $0.again = nil },
        Lie("the next message is lost with the connection", at: .idle, .drop, is: .loss) {
            $0.second.outcome = .routeTrouble
        },
        Lie("the moment of the dot is not told", at: .idle, .closing, is: .unexplained) { $0.first.reports = [nil] },
    ]

    @Test(arguments: lies) private func `a lie of the client is found`(lie: Lie) async throws {
        var seen = try await MatrixTrial(cell: lie.cell, certificates: nil).run()
        let before = MatrixOracle.judge(lie.cell, seen)
        #expect(before.isEmpty, "\(before)")
        lie.tell(&seen)
        let found = MatrixOracle.judge(lie.cell, seen)
        #expect(found.contains { $0.kind == lie.kind }, "\(found)")
    }

    @Test(arguments: [SMTPFaultMatrix.Fault.drop, .stall, .tooLate, .garbage, .cutOff, .two])
    func `a client that offers a message again after a dot without an answer is found`(
        fault: SMTPFaultMatrix.Fault
    ) async throws {
        let cell = Cell(phase: .dot, fault: fault, link: .plain)
        let trial = MatrixTrial(cell: cell, certificates: nil) { _ in true }
        let found = MatrixOracle.judge(cell, try await trial.run())
        #expect(found.contains { $0.kind == .double }, "\(found)")
    }
}
