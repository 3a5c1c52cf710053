import Foundation
import Ledger
import Logging
import MIME
import Mailing
import Spool

/// Looks through what the mail system brought back.
///
/// A message to the return path of one delivery proves that the relay had accepted that delivery: nobody else learns
/// its address, and nobody can make one up. So far that is all that is done with it.
actor Inbound {
    private let context: DaemonContext
    private let keeper: CampaignKeeper
    let executor: any SerialExecutor
    /// What was left where it is, and when it is looked at again.
    private var left: [DirectoryEntryName: BootInstant] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Nanoseconds between two looks where nobody has seen that there is something.
    private static let interval: Int64 = 600_000_000_000
    /// Nanoseconds until a message is looked at again that came before the reply to the dot.
    private static let patience: Int64 = 30_000_000_000
    /// Nanoseconds after which a message that could not be read is tried again.
    private static let retryInterval: Int64 = 600_000_000_000
    /// Messages in one go.
    private static let batch = 100
    private static let maximumLeft = 10_000
    /// Bytes that are read of a message: its header, and the report, which comes before the message that was returned.
    private static let beginning = 1 << 20
    private static let loop = "returned mail"

    init(
        context: DaemonContext, keeper: CampaignKeeper,
        executor: any SerialExecutor = QueueExecutor(label: "campaignd.inbound")
    ) {
        self.context = context
        self.keeper = keeper
        self.executor = executor
    }

    /// Looks at once; also when the daemon is to stop.
    nonisolated func wake() { context.returnedMail.ring() }

    /// Looks at start and whenever the intake has seen something, which looks every 30 s, until the daemon stops.
    func run() async {
        while !context.stopping.isSet, !Task.isCancelled {
            context.progress.beat(Inbound.loop, at: context.clocks.boot)
            if await look() { continue }
            guard !context.stopping.isSet else { break }
            let now = context.clocks.boot
            let next = now.adding(nanoseconds: Inbound.interval)
            context.progress.rests(Inbound.loop, from: now, until: next)
            await context.returnedMail.wait(until: next, clocks: context.clocks)
        }
        context.progress.rests(Inbound.loop)
    }

    /// Treats what is there, one batch of it at most; returns whether there may be more.
    func look() async -> Bool {
        let now = context.clocks.boot
        left = left.filter { $0.value > now }
        guard left.count < Inbound.maximumLeft else { return false }
        do {
            let names = try context.spool.newReturnedMails(limit: Inbound.batch) { [left] in left[$0] == nil }
            for name in names {
                guard !context.stopping.isSet else { return false }
                try await treat(name, now: now)
            }
            return names.count == Inbound.batch
        } catch let error as LedgerError {
            tell("returned mail waits, because the ledger cannot be used: \(error)", .ledgerTrouble, now: now)
        } catch {
            tell("returned mail cannot be looked at: \(error)", now: now)
        }
        return false
    }

    private func treat(_ name: DirectoryEntryName, now: BootInstant) async throws(LedgerError) {
        let bytes: [UInt8]
        do throws(SpoolError) {
            bytes = try context.spool.beginningOfReturnedMail(name, limit: Inbound.beginning)
        } catch {
            return leave(name, because: error, now: now)
        }
        guard let mail = ReturnedMail(bytes), mail.isBounce, let delivery = try await delivery(mail) else {
            return keep(name, isSeen: false, now: now)
        }
        // A notification may be faster than the reply to the dot, and is needed if that never comes.
        guard try await !context.ledger.isInFlight(delivery) else {
            left[name] = now.adding(nanoseconds: Inbound.patience)
            return
        }
        let evidence = SettlementEvidence(kind: .bounce, text: mail.evidence)
        let settled = try await context.ledger.settle(
            delivery: delivery, as: .sent, by: evidence, now: context.clocks.wall)
        if let settled {
            context.journal.settled(settled, by: evidence)
            await keeper.touch(settled.campaign)
        }
        keep(name, isSeen: true, now: now)
    }

    private func keep(_ name: DirectoryEntryName, isSeen: Bool, now: BootInstant) {
        do throws(SpoolError) {
            try context.spool.keepReturnedMail(name, isSeen: isSeen)
        } catch {
            leave(name, because: error, now: now)
        }
    }

    private func leave(_ name: DirectoryEntryName, because error: SpoolError, now: BootInstant) {
        // A mail reader of the administrator may have been faster.
        guard error.code != ENOENT else { return }
        left[name] = now.adding(nanoseconds: Inbound.retryInterval)
        tell("a returned message stays where it is: \(error)", now: now)
    }

    private func tell(_ message: String, _ event: DaemonJournal.Event = .returnedMailTrouble, now: BootInstant) {
        context.journal.noteSeldom(.warning, event, message, now: now, about: Inbound.loop)
    }

    /// The delivery to whose return path it came, if the proof in that address is ours.
    private func delivery(_ mail: ReturnedMail) async throws(LedgerError) -> Int64? {
        for address in mail.addresses {
            guard let tag = ReturnTag(address),
                let (job, person) = try await context.ledger.addressee(of: tag.delivery)
            else { continue }
            let ours = MessageMaker.tag(delivery: tag.delivery, job: job, address: person, key: context.ledger.key)
            if ours == "\(tag.delivery).\(tag.proof)" { return tag.delivery }
        }
        return nil
    }
}

/// What `MessageMaker` put into a return path: `local+ID.MAC@domain`.
///
/// Some servers change the case of an address; the digits of the proof mean the same in any.
struct ReturnTag: Equatable {
    let delivery: Int64
    let proof: String

    init?(_ address: String) {
        guard let at = address.lastIndex(of: "@"), let plus = address[..<at].lastIndex(of: "+") else { return nil }
        let parts = address[address.index(after: plus)..<at].split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.allSatisfy({ (48...57).contains($0) }), parts[1].utf8.count == 16,
            let number = Int64(parts[0])
        else { return nil }
        delivery = number
        proof = parts[1].lowercased()
    }
}

extension ReturnedMail {
    /// Whether it came by itself, as notifications do, and not from a person who answered.
    fileprivate var isBounce: Bool { hasNullReturnPath || isReport }

    /// What is kept of it with the delivery: no address.
    fileprivate var evidence: String {
        let what = isReport ? "a report" : "a notification"
        let words = recipients.first.map { [$0.action?.rawValue, $0.status].compactMap(\.self) } ?? []
        return "\(what) came back to its return path" + (words.isEmpty ? "" : ": " + words.joined(separator: " "))
    }
}
