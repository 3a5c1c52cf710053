import Mailing
import TestSupport

/// Judges a cell by what the server counted and by what SMTP says, knowing nothing of how the client decides.
struct MatrixOracle {
    enum Kind: Sendable {
        /// A message may have been taken twice.
        case double
        /// Called sent, and nobody took it; or never sent though it was queued again.
        case loss
        case unexplained
    }

    struct Finding: Sendable {
        let kind: Kind
        let sentence: String
    }

    /// What the fault leaves of an answer to the command or to the dot.
    private enum Said {
        /// One whole proper reply of this class, 2 ... 5, whatever follows it.
        case whole(Int)
        case closing
        /// Nothing, or nothing that is one whole proper reply.
        case nothing
    }

    let cell: SMTPFaultMatrix.Cell
    let seen: MatrixObservation

    static func judge(_ cell: SMTPFaultMatrix.Cell, _ seen: MatrixObservation) -> [Finding] {
        let oracle = MatrixOracle(cell: cell, seen: seen)
        return oracle.dots() + oracle.evidence() + oracle.outcome() + oracle.connection()
            + oracle.next()
    }

    private func finding(_ kind: Kind, _ sentence: String) -> [Finding] {
        [Finding(kind: kind, sentence: sentence)]
    }

    private func messages(_ id: String) -> [ReceivedMessage] {
        seen.server.messages.filter { $0.messageID == id }
    }

    /// Bodies that ended without the server having looked for a dot, though one had come.
    private var unreadDots: Int {
        let end = Array("\r\n.\r\n".utf8)
        return seen.server.aborted.count { $0.received.suffix(5) == end }
    }

    /// Every dot is claimed, every claimed dot was seen, and no message has two that may both count.
    private func dots() -> [Finding] {
        let attempts = [seen.first, seen.second] + (seen.again.map { [$0] } ?? [])
        let claimed = attempts.count { $0.hasDot }
        let counted = seen.server.messages.count + unreadDots
        var findings: [Finding] = []
        if claimed != counted {
            findings += finding(
                claimed < counted ? .double : .unexplained, "\(claimed) dots are claimed, \(counted) came")
        }
        for double in seen.server.handedOverTwice {
            findings += finding(.double, "handed over twice: \(double)")
        }
        for id in [MatrixObservation.firstID, MatrixObservation.secondID] {
            let taken = messages(id).count { $0.mayHaveBeenTaken }
            if taken > 1 { findings += finding(.double, "\(id) may have been taken \(taken) times") }
        }
        if seen.first.outcome == .uncertain, messages(MatrixObservation.firstID).count + unreadDots > 1 {
            findings += finding(.double, "uncertain, and yet there is more than one dot")
        }
        for attempt in attempts {
            let reports = attempt.reports
            let isDone = attempt.hasDot || !reports.isEmpty
            if isDone, reports.count != 1 || reports.first != .some(attempt.writtenAt) {
                findings += finding(.unexplained, "the moment of the dot was reported as \(reports)")
            }
            if attempt.hasDot != (attempt.writtenAt != nil) {
                findings += finding(.unexplained, "a dot without its moment, or a moment without a dot")
            }
        }
        return findings
    }

    /// Whatever is sent was taken, and the answer is the one that the server gave to this very message.
    private func evidence() -> [Finding] {
        let tried =
            [(MatrixObservation.firstID, seen.first), (MatrixObservation.secondID, seen.second)]
            + (seen.again.map { [(MatrixObservation.firstID, $0)] } ?? [])
        return tried.flatMap { id, attempt -> [Finding] in
            var findings: [Finding] = []
            if attempt.outcome == .sent, messages(id).count(where: \.wasAccepted) != 1 {
                findings += finding(.loss, "\(id) is called sent, but was not taken once")
            }
            if let answer = attempt.answer, !messages(id).contains(where: { isSame($0.reply, answer) }) {
                findings += finding(.unexplained, "“\(answer)” was taken for an answer to \(id)")
            }
            return findings
        }
    }

    /// The lines of the reply as the server sent it, against the reply as it was read.
    private func isSame(_ sent: String, _ read: SMTPReply) -> Bool {
        let lines = sent.split(whereSeparator: \.isNewline).prefix(read.lines.count)
        return lines.map { $0.dropFirst(4) } == read.lines.map { $0[...] }
            && lines.allSatisfy { $0.hasPrefix("\(read.code)") }
    }

    private var said: Said {
        switch cell.fault {
        case .temporary: .whole(4)
        case .permanent: .whole(5)
        case .closing: .closing
        case .oddIntermediate: .whole(3)
        case .oddPositive: .whole(2)
        case .multiLine, .byteByByte, .late, .unasked, .unaskedGoAhead, .replyThenDrop,
            .replyThenClosing:
            .whole(cell.phase == .data ? 3 : 2)
        case .refused, .drop, .reset, .stall, .deaf, .tooLate, .longLine, .manyLines, .garbage, .cutOff, .halfThenStall,
            .drip, .two, .endOfTLS, .pastTLS, .notOffered, .strangeCertificate, .otherHost:
            .nothing
        }
    }

    /// What may become of the first message.
    private func outcome() -> [Finding] {
        let word = seen.first.outcome.word
        guard !allowedOutcomes.contains(word) else { return [] }
        let allowed = allowedOutcomes.sorted().joined(separator: ", ")
        return finding(.unexplained, "became \(word) (\(seen.first.why)), allowed is \(allowed)")
    }

    private var allowedOutcomes: Set<String> {
        switch cell.phase {
        case .idle: return ["sent"]
        // What nobody has asked for answers nothing.
        case .ready: return ["routeTrouble"]
        // libcurl throws away what comes with the reply to AUTH, so all is in order after it.
        case .authentication where cell.fault == .two: return ["sent", "routeTrouble"]
        case .reset: return ["bounced"]
        case .body:
            // Whoever reads nothing more may still have been given the dot, by its own system.
            return cell.fault == .stall ? ["uncertain"] : ["routeTrouble"]
        case .dot:
            return switch said {
            case .whole(2): ["sent"]
            case .whole(4): ["deferred"]
            case .whole(5): ["bounced"]
            case .closing: ["routeTrouble"]
            default: ["uncertain"]
            }
        default: return beforeDot
        }
    }

    private var beforeDot: Set<String> {
        switch (cell.fault, said) {
        case (.multiLine, _), (.byteByByte, _), (.late, _): return ["sent"]
        // Whether an unusual code of the right class will do is the client's affair.
        case (.oddPositive, _):
            return cell.phase == .data ? ["routeTrouble"] : ["sent", "routeTrouble"]
        case (.oddIntermediate, _):
            return cell.phase == .data ? ["sent", "routeTrouble"] : ["routeTrouble"]
        case (.temporary, _):
            return [.mail, .recipient, .data].contains(cell.phase) ? ["deferred"] : ["routeTrouble"]
        case (.permanent, _):
            switch cell.phase {
            case .mail, .authentication: return ["senderTrouble"]
            case .recipient, .data: return ["bounced"]
            default: return ["routeTrouble"]
            }
        default: return ["routeTrouble"]
        }
    }

    /// A conversation that has lost its order is not gone on with.
    private func connection() -> [Finding] {
        guard cell.phase != .connect, seen.second.isFresh == false else { return [] }
        let mayGoOn: Bool =
            switch cell.fault {
            case .multiLine, .byteByByte, .late: !cell.phase.isSilent || cell.phase == .handshake
            case .two: cell.phase == .authentication && seen.first.outcome == .sent
            case .temporary, .permanent: [.mail, .recipient, .data, .dot].contains(cell.phase)
            case .oddPositive, .oddIntermediate:
                !cell.phase.isSilent && (seen.first.outcome == .sent || cell.phase == .reset)
            default: false
            }
        return mayGoOn ? [] : finding(.unexplained, "the connection goes on after this")
    }

    /// The next message is sent, once, and so is the first when it was queued again. The client did nothing wrong.
    private func next() -> [Finding] {
        var findings: [Finding] = []
        if seen.second.outcome != .sent {
            findings += finding(
                .loss, "the next message became \(seen.second.outcome.word) (\(seen.second.why))")
        }
        if seen.first.isQueuedAgain, seen.again?.outcome != .sent {
            findings += finding(
                .loss, "queued again, and then not sent (\(seen.again?.why ?? "not tried"))")
        }
        if !seen.first.isQueuedAgain, seen.again != nil {
            findings += finding(.double, "\(seen.first.outcome.word), and yet tried again")
        }
        if !cell.fault.breaksOrder, !seen.server.violations.isEmpty {
            findings += finding(.unexplained, "the client: \(seen.server.violations)")
        }
        return findings
    }
}
