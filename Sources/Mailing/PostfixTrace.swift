/// What a Postfix on this machine wrote into the journal, and what it proves about a delivery in doubt.
///
/// What is a proof, and why:
/// - Only lines of the user as whom Postfix runs count: journald takes `_UID` from the kernel. Anybody may call himself
///   `postfix/qmgr`.
/// - **Accepted**: cleanup named our Message-ID under a queue id, and after it qmgr made that queue id active with our
///   return path. cleanup names a message while it is still coming in, also one that never ends; qmgr takes up only
///   what cleanup has finished, by setting the mode of the queue file. The return path has a code that nobody knows
///   before: a message of somebody else under our Message-ID is not ours.
/// - **Absent**: smtpd wrote `lost connection after DATA (n bytes)` or `timeout after DATA (n bytes)`, the last of our
///   session. It writes so only while it waits for the end of the message: once the dot is read its state is
///   END-OF-MESSAGE. smtpd serves one session at a time, so what a process writes between `connect` and `disconnect`
///   is one session, and our session ends with the message in doubt, because the client never goes on after a doubt.
/// - **No proof**: that nothing is seen. qmgr may be slow, stopped or its lines lost, so what cleanup has named and
///   qmgr has not made active may still be sent, however late. Nor is a missing line of cleanup one: what was held up
///   in its buffer it names only after smtpd has written `disconnect`. Nor are words of refusal at the end of a
///   message: they are spoken before Postfix has thrown the message away, and a message held or discarded was accepted.
/// - A gap in the journal can hide a second session, so with one absence is never concluded; acceptance is.
package struct PostfixTrace: Sendable {
    /// For so long after the intent a doubt is looked into, in seconds.
    package static let patience: Int64 = 15 * 60
    /// So long before the intent the session has begun to hand the message over, in seconds.
    package static let lookBack: Int64 = 15 * 60

    /// A moment from which the journal may lack lines.
    package struct Gap: Hashable, Sendable {
        package var at: Timestamp
        package var why: String

        package init(at: Timestamp, why: String) {
            self.at = at
            self.why = why
        }
    }

    /// What the lines are a picture of.
    package struct Coverage: Hashable, Sendable {
        /// The oldest entry of the journal that can be read; nil if there is none.
        package var oldest: Timestamp?
        /// What journald said of its own losses.
        package var gaps: [Gap]
        /// There are more lines than were read.
        package var isCutShort: Bool
        /// The present boot of the machine.
        package var boot: BootID

        package init(oldest: Timestamp?, gaps: [Gap] = [], isCutShort: Bool = false, boot: BootID) {
            self.oldest = oldest
            self.gaps = gaps
            self.isCutShort = isCutShort
            self.boot = boot
        }
    }

    /// A delivery in doubt.
    package struct Question: Hashable, Sendable {
        /// Without its brackets.
        package var messageID: String
        /// What stands between `+` and `@` in the return path of this one delivery.
        package var returnPathTag: String
        /// The latest intent: the dot was written after this moment, if it was.
        package var intendedAt: Timestamp
        /// The port of this machine from which the session went out.
        package var localPort: Int?
        /// After this nobody waits for more lines.
        package var deadline: Timestamp

        package init(
            messageID: String, returnPathTag: String, intendedAt: Timestamp, localPort: Int?, deadline: Timestamp
        ) {
            self.messageID = messageID
            self.returnPathTag = returnPathTag
            self.intendedAt = intendedAt
            self.localPort = localPort
            self.deadline = deadline
        }
    }

    package enum Verdict: Hashable, Sendable {
        case accepted(queueID: String, evidence: String)
        /// Postfix has not got the end of the message, and never will.
        case absent(evidence: String)
        /// To be asked again, until then.
        case undecided(until: Timestamp)
        /// Nothing more will come.
        case unknowable(String)
    }

    private let lines: [PostfixLine]
    private let coverage: Coverage
    private let gaps: [Gap]
    private var sessions: [PostfixSession] = []
    /// Where cleanup names a Message-ID.
    private var named: [String: [(line: Int, queueID: String)]] = [:]
    /// Where a queue id begins, is named or becomes active.
    private var events: [String: [(line: Int, statement: PostfixStatement)]] = [:]

    /// - Parameters:
    ///   - lines: in the order of the journal.
    ///   - user: the one as whom Postfix runs.
    package init(lines: [PostfixLine], user: UInt32, coverage: Coverage) {
        self.lines = lines.filter { $0.user == user }
        self.coverage = coverage
        gaps = coverage.gaps + PostfixTrace.gaps(between: self.lines, boot: coverage.boot)
        var open: [PostfixSession.Process: Int] = [:]
        for (index, line) in self.lines.enumerated() {
            guard let statement = PostfixStatement(line) else { continue }
            switch statement {
            case .named(let queueID, let messageID):
                named[messageID, default: []].append((index, queueID))
                events[queueID, default: []].append((index, statement))
            case .active(let queueID, _): events[queueID, default: []].append((index, statement))
            case .began(let queueID, let client):
                events[queueID, default: []].append((index, statement))
                let session = sessions.openSession(of: PostfixSession.Process(line), client, in: &open)
                sessions[session].messages.append(.init(queueID: queueID, line: index, at: line.at))
            case .connected(let client):
                open[PostfixSession.Process(line)] = nil
                _ = sessions.openSession(of: PostfixSession.Process(line), client, in: &open)
            case .cutShort(let client):
                let session = sessions.openSession(of: PostfixSession.Process(line), client, in: &open)
                sessions[session].cut = index
            case .disconnected(let client):
                let session = sessions.openSession(of: PostfixSession.Process(line), client, in: &open)
                sessions[session].end = (index, line.at)
                open[PostfixSession.Process(line)] = nil
            }
        }
    }

    package func verdict(on question: Question, now: Timestamp) -> Verdict {
        if let accepted = acceptance(question) { return accepted }
        switch absence(question, now: now) {
        case .success(let evidence): return .absent(evidence: evidence)
        case .failure(let doubt):
            return now < question.deadline ? .undecided(until: question.deadline) : .unknowable(doubt.why)
        }
    }

    /// Any queue id will do: a message that Postfix has twice is not to be sent a third time. A line of an earlier
    /// attempt counts as well.
    private func acceptance(_ question: Question) -> Verdict? {
        for (line, queueID) in named["<\(question.messageID)>"] ?? [] {
            let next = (events[queueID] ?? []).first { event in
                guard event.line > line else { return false }
                // A queue id is used again for another message once it is free.
                return event.statement.sender?.contains("+\(question.returnPathTag)@") ?? true
            }
            guard let next, next.statement.sender != nil else { continue }
            return .accepted(queueID: queueID, evidence: [line, next.line].map(shown).joined(separator: "; "))
        }
        return nil
    }

    private struct Doubt: Error {
        var why: String
    }

    private func absence(_ question: Question, now: Timestamp) -> Result<String, Doubt> {
        let found = sessions.indices.compactMap { index in
            sessions[index].message(of: question).map { (session: sessions[index], message: $0) }
        }
        guard let first = found.map(\.message.at).min() else {
            return .failure(Doubt(why: "the journal has no session with Postfix that handed this message over"))
        }
        if let gap = gap(since: first) { return .failure(Doubt(why: gap)) }
        var evidence: [Int] = []
        for (session, message) in found {
            if let cut = session.provenCut(of: message), let end = session.end {
                evidence += [message.line, cut, end.line]
            } else if !isNamedOtherwise(message, than: question.messageID) {
                let queueID = message.queueID
                let why =
                    session.end == nil
                    ? "the session with Postfix has no end in the journal"
                    : "Postfix may have the message as \(queueID), but its queue manager has not taken it up"
                return .failure(Doubt(why: why))
            }
        }
        guard !evidence.isEmpty else {
            return .failure(Doubt(why: "the sessions with Postfix at that time handed other messages over"))
        }
        for (line, queueID) in named["<\(question.messageID)>"] ?? []
        where lines[line].at >= question.intendedAt && !isProvenCut(queueID, namedIn: line) {
            return .failure(Doubt(why: "Postfix has the message as \(queueID), but has not taken it up"))
        }
        // Without ports it is not certain which session was ours: whatever belongs to them shall have been written.
        let isOurs = found.allSatisfy { $0.session.client.port != nil && question.localPort != nil }
        guard isOurs || now >= question.intendedAt.adding(seconds: PostfixTrace.patience) else {
            return .failure(Doubt(why: "the journal does not say which session was ours"))
        }
        return .success(evidence.map(shown).joined(separator: "; "))
    }

    /// Why lines since a moment may be lacking; nil if all are there.
    private func gap(since moment: Timestamp) -> String? {
        guard let oldest = coverage.oldest, oldest < moment else {
            return "the journal does not go back to when the message was handed over"
        }
        if coverage.isCutShort { return "Postfix has written too much since to read it all" }
        return gaps.first { $0.at >= moment }?.why
    }

    /// What the lines themselves tell of a clock that was set, and of another boot.
    private static func gaps(between lines: [PostfixLine], boot: BootID) -> [Gap] {
        var gaps: [Gap] = []
        var offset: Int64?
        for line in lines {
            guard line.boot == boot else {
                gaps.append(Gap(at: line.at, why: "the machine was started anew since"))
                continue
            }
            // A machine that slept looks the same, and is treated so.
            let now = line.recorded - line.monotonic
            if let offset, abs(now - offset) > largestDrift {
                gaps.append(Gap(at: line.at, why: "the clock was set since"))
            }
            offset = now
        }
        return gaps
    }

    /// Clocks are slewed by 0.5 ms a second at most; in microseconds.
    private static let largestDrift: Int64 = 2_000_000

    /// Whether cleanup named the message of this session, and by another Message-ID.
    private func isNamedOtherwise(_ message: PostfixSession.Message, than messageID: String) -> Bool {
        let next = (events[message.queueID] ?? []).first { $0.line > message.line }
        guard case .named(_, let other) = next?.statement else { return false }
        return other != "<\(messageID)>"
    }

    /// Whether what cleanup named in this line never ended.
    private func isProvenCut(_ queueID: String, namedIn line: Int) -> Bool {
        let began = (events[queueID] ?? []).last { event in
            if case .began = event.statement { return event.line < line }
            return false
        }
        guard let began else { return false }
        return sessions.contains { session in
            session.messages.contains { $0.line == began.line && session.provenCut(of: $0) != nil }
        }
    }

    private func shown(_ index: Int) -> String {
        let line = lines[index]
        return "\(line.at) \(line.program)[\(line.process)]: \(line.text)"
    }
}

/// One session with smtpd.
struct PostfixSession: Sendable {
    /// A process of one boot.
    struct Process: Hashable, Sendable {
        var boot: BootID
        var number: Int32

        init(_ line: PostfixLine) {
            boot = line.boot
            number = line.process
        }
    }

    struct Message: Sendable {
        var queueID: String
        var line: Int
        var at: Timestamp
    }

    var client: PostfixClient
    var messages: [Message] = []
    /// Where smtpd says that the end of a message did not come.
    var cut: Int?
    var end: (line: Int, at: Timestamp)?

    /// The message that was under way in it at the intent, if the session may be the one in question.
    func message(of question: PostfixTrace.Question) -> Message? {
        guard client.isThisMachine, end.map({ $0.at >= question.intendedAt }) ?? true else { return nil }
        if let port = client.port, let ours = question.localPort, port != ours { return nil }
        let earliest = question.intendedAt.adding(seconds: -PostfixTrace.lookBack)
        return messages.last { $0.at <= question.intendedAt && $0.at >= earliest }
    }

    /// The line that proves that this message never ended: the session was cut while it waited for the end of its last
    /// message, and is over.
    func provenCut(of message: Message) -> Int? {
        guard let cut, let end, let last = messages.last, last.line == message.line, last.line < cut, cut < end.line
        else { return nil }
        return cut
    }
}

extension [PostfixSession] {
    /// The session that a process has open with this client. One with another client has ended without a word, and
    /// keeps no end.
    fileprivate mutating func openSession(
        of process: PostfixSession.Process, _ client: PostfixClient, in open: inout [PostfixSession.Process: Int]
    ) -> Int {
        if let index = open[process], self[index].client == client { return index }
        append(PostfixSession(client: client))
        open[process] = count - 1
        return count - 1
    }
}

extension PostfixStatement {
    /// The return path of what became active.
    fileprivate var sender: String? {
        if case .active(_, let sender) = self { return sender }
        return nil
    }
}
